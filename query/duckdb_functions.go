package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Our functions that SQL calls while a database is built. Lists come as lines of one text.
//
//	name_keys(name)                         the spellings of a file's name
//	name_like(listed, file)                 a likeness
//	same_kind(listed, file)                 whether extensions allow the names to be of one file
//	people_in(path)                         see peopleIn
//	name_words(path)                        see nameWordsIn
//	person_keys(full_name, first, surname)  see personKeys
//	holdall_number, holdall_time            see value_functions.go
var functions = []function{
	{
		"name_keys", 1, duckdb.TYPE_VARCHAR,
		func(a []string) any { return strings.Join(newFileName(a[0]).keys(), "\n") },
	},
	{"name_like", 2, duckdb.TYPE_BIGINT, func(a []string) any { return int64(likeness(a[0], a[1])) }},
	{
		"same_kind", 2, duckdb.TYPE_BOOLEAN,
		func(a []string) any { return newFileName(a[0]).sameKind(newFileName(a[1])) },
	},
	{"people_in", 1, duckdb.TYPE_VARCHAR, func(a []string) any { return strings.Join(peopleIn(a[0]), "\n") }},
	{numberFunction, 3, duckdb.TYPE_VARCHAR, callReadNumber},
	{timeFunction, 4, duckdb.TYPE_VARCHAR, callReadTime},
	{
		"name_words", 1, duckdb.TYPE_VARCHAR,
		func(a []string) any { return strings.Join(nameWordsIn(a[0]), " ") },
	},
	{
		"person_keys", 3, duckdb.TYPE_VARCHAR,
		func(a []string) any { return strings.Join(personKeys(a[0], a[1], a[2]), "\n") },
	},
}

// A function is a scalar function of texts; NULL in, NULL out.
type function struct {
	name   string
	args   int
	result duckdb.Type
	do     func([]string) any
}

func (f function) Config() duckdb.ScalarFuncConfig {
	text, _ := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR) // neither can fail for a plain type
	result, _ := duckdb.NewTypeInfo(f.result)
	c := duckdb.ScalarFuncConfig{ResultTypeInfo: result}
	for range f.args {
		c.InputTypeInfos = append(c.InputTypeInfos, text)
	}
	return c
}

func (f function) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(values []driver.Value) (any, error) {
		args := make([]string, len(values))
		for i, v := range values {
			args[i], _ = v.(string)
		}
		return f.do(args), nil
	}}
}

// register makes the functions known to all connections of a database.
func register(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, f := range functions {
		if err := duckdb.RegisterScalarUDF(c, f.name, &f); err != nil {
			return err
		}
	}
	return nil
}
