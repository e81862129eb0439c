package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// everyType has a value of each of the engine's types that a careless writer changes, as text, as JSON where
// that differs, and what a Parquet reader that is not ours says of it: its type and its text.
var everyType = []struct{ typ, sql, text, json, arrow, arrowText string }{
	{"BOOLEAN", "true", "true", "true", "bool", "True"},
	{"TINYINT", "(-128)::tinyint", "-128", "-128", "int8", "-128"},
	{"SMALLINT", "(-32768)::smallint", "-32768", "-32768", "int16", "-32768"},
	{"INTEGER", "(-2147483648)::integer", "-2147483648", "-2147483648", "int32", "-2147483648"},
	{"BIGINT", "(-9223372036854775808)::bigint", "-9223372036854775808", "-9223372036854775808", "int64",
		"-9223372036854775808"},
	{"UTINYINT", "255::utinyint", "255", "255", "uint8", "255"},
	{"USMALLINT", "65535::usmallint", "65535", "65535", "uint16", "65535"},
	{"UINTEGER", "4294967295::uinteger", "4294967295", "4294967295", "uint32", "4294967295"},
	{"UBIGINT", "18446744073709551615::ubigint", "18446744073709551615", "18446744073709551615", "uint64",
		"18446744073709551615"},
	{"HUGEINT", "-99999999999999999999999999999999999999::hugeint",
		"-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999",
		"decimal128(38, 0)", "-99999999999999999999999999999999999999"},
	{"HUGEINT", "170141183460469231731687303715884105727::hugeint",
		"170141183460469231731687303715884105727", "170141183460469231731687303715884105727", "string",
		"170141183460469231731687303715884105727"},
	{"HUGEINT[]", "[1::hugeint, 12345678901234567890123]", "[1,12345678901234567890123]",
		"[1,12345678901234567890123]", "list<element: decimal128(38, 0)>",
		"[Decimal('1'), Decimal('12345678901234567890123')]"},
	{"UHUGEINT", "12345678901234567890123::uhugeint", "12345678901234567890123",
		"12345678901234567890123", "decimal128(38, 0)", "12345678901234567890123"},
	{"UHUGEINT", "340282366920938463463374607431768211455::uhugeint",
		"340282366920938463463374607431768211455", "340282366920938463463374607431768211455", "string",
		"340282366920938463463374607431768211455"},
	{"BIGNUM", "'1234567890123456789012345678901234567890123'::bignum",
		"1234567890123456789012345678901234567890123", `"1234567890123456789012345678901234567890123"`,
		"string", "1234567890123456789012345678901234567890123"},
	{"DECIMAL(38,10)", "1234567890123456789012345678.0123456789::decimal(38,10)",
		"1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789",
		"decimal128(38, 10)", "1234567890123456789012345678.0123456789"},
	{"DECIMAL(4,4)", "(-0.0501)::decimal(4,4)", "-0.0501", "-0.0501", "decimal128(4, 4)", "-0.0501"},
	{"STRUCT(f DOUBLE, d DECIMAL(1,1))", "{'f': 0.1::double, 'd': 0.5::decimal(1,1)}", `{"f":0.1,"d":0.5}`,
		`{"f":0.1,"d":0.5}`, "struct<f: double, d: decimal128(1, 1)>", ""},
	{"FLOAT", "0.1::float", "0.1", "0.1", "float", "0.10000000149011612"},
	{"DOUBLE", "0.1::double + 0.2::double", "0.30000000000000004", "0.30000000000000004", "double",
		"0.30000000000000004"},
	{"DOUBLE", "'nan'::double", "nan", `"NaN"`, "double", "nan"},
	{"DOUBLE", "'-inf'::double", "-inf", `"-Infinity"`, "double", "-inf"},
	{"FLOAT[]", "[0.1::float, 'inf'::float, null]", `[0.1,"Infinity",null]`, `[0.1,"Infinity",null]`,
		"list<element: float>", "[0.10000000149011612, inf, None]"},
	{"VARCHAR", "'007'", "007", `"007"`, "string", "007"},
	{"BLOB", `'a\x00\xFF'::blob`, `a\x00\xFF`, `"a\\x00\\xFF"`, "binary", `b'a\x00\xff'`},
	{"BIT", "'0010101'::bit", "0010101", `"0010101"`, "string", "0010101"},
	{"UUID", "uuid '6f1c9d7e-1234-4abc-8def-001122334455'", "6f1c9d7e-1234-4abc-8def-001122334455",
		`"6f1c9d7e-1234-4abc-8def-001122334455"`, "extension<arrow.uuid>",
		"6f1c9d7e-1234-4abc-8def-001122334455"},
	{"ENUM('a''b)', 'y')", "'a''b)'::enum('a''b)', 'y')", "a'b)", `"a'b)"`, "string", "a'b)"},
	{"DATE", "date '0999-12-31'", "0999-12-31", `"0999-12-31"`, "date32[day]", "0999-12-31"},
	{"DATE", "'infinity'::date", "infinity", `"infinity"`, "string", "infinity"},
	{"TIME", "time '01:02:03.000004'", "01:02:03.000004", `"01:02:03.000004"`, "time64[us]",
		"01:02:03.000004"},
	{"TIME_NS", "'01:02:03.000004567'::time_ns", "01:02:03.000004567", `"01:02:03.000004567"`,
		"string", "01:02:03.000004567"},
	{"TIME WITH TIME ZONE", "'01:02:03.4+05:30'::timetz", "01:02:03.4+05:30", `"01:02:03.4+05:30"`,
		"string", "01:02:03.4+05:30"},
	{"TIMESTAMP", "timestamp '2026-01-02 03:04:05.123456'", "2026-01-02 03:04:05.123456",
		`"2026-01-02T03:04:05.123456"`, "timestamp[us]", "2026-01-02 03:04:05.123456"},
	{"TIMESTAMP", "'-infinity'::timestamp", "-infinity", `"-infinity"`, "string", "-infinity"},
	{"TIMESTAMP_S", "'2026-01-02 03:04:05'::timestamp_s", "2026-01-02 03:04:05", `"2026-01-02T03:04:05"`,
		"timestamp[us]", "2026-01-02 03:04:05"},
	{"TIMESTAMP_MS", "'2026-01-02 03:04:05.123'::timestamp_ms", "2026-01-02 03:04:05.123",
		`"2026-01-02T03:04:05.123"`, "timestamp[ms]", "2026-01-02 03:04:05.123000"},
	{"TIMESTAMP_NS", "'2026-01-02 03:04:05.123456789'::timestamp_ns", "2026-01-02 03:04:05.123456789",
		`"2026-01-02T03:04:05.123456789"`, "timestamp[ns]", ""},
	{"TIMESTAMP WITH TIME ZONE", "timestamptz '2026-01-02 03:04:05.123456+02'",
		"2026-01-02 01:04:05.123456+00", `"2026-01-02T01:04:05.123456+00"`, "timestamp[us, tz=UTC]",
		"2026-01-02 01:04:05.123456+00:00"},
	{"INTERVAL", "interval '1 month 2 days 3.000004 seconds'", "1 month 2 days 00:00:03.000004",
		`"1 month 2 days 00:00:03.000004"`, "string", "1 month 2 days 00:00:03.000004"},
	{"JSON", `'{"n": 12345678901234567890.10}'::json`, `{"n": 12345678901234567890.10}`,
		`{"n": 12345678901234567890.10}`, "extension<arrow.json>", `{"n": 12345678901234567890.10}`},
	{"JSON[]", `['{"n": 12345678901234567890.10}'::json]`, `[{"n": 12345678901234567890.10}]`,
		`[{"n": 12345678901234567890.10}]`, "list<element: extension<arrow.json>>",
		`['{"n": 12345678901234567890.10}']`},
	{"INTEGER[2]", "[1, 2]::int[2]", "[1,2]", "[1,2]", "list<element: int32>", "[1, 2]"},
	{"STRUCT(\"a\"\"b\" DOUBLE, ts TIMESTAMP)",
		`{'a"b': 'nan'::double, 'ts': timestamp '2026-01-02 03:04:05'}`,
		`{"a\"b":"NaN","ts":"2026-01-02T03:04:05"}`, `{"a\"b":"NaN","ts":"2026-01-02T03:04:05"}`,
		`struct<a"b: double, ts: timestamp[us]>`, ""},
	{"MAP(DOUBLE, HUGEINT)", "map {1.5::double: 12345678901234567890123::hugeint}",
		`{"1.5":12345678901234567890123}`, `{"1.5":12345678901234567890123}`,
		"map<double, decimal128(38, 0) ('v')>", "[(1.5, Decimal('12345678901234567890123'))]"},
	{"UNION(n INTEGER, s VARCHAR)", "union_value(n := 2)::union(n integer, s varchar)", `{"n":2}`,
		`{"n":2}`, "string", `{"n":2}`},
	{"VARIANT", "'x'::variant", `"x"`, `"x"`, "string", `"x"`},
	{"GEOMETRY", "'POINT(1 2)'::geometry", "POINT (1 2)", `"POINT (1 2)"`, "", ""},
}

func TestEveryTypeIsExactInEveryFormat(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for _, tc := range everyType {
		t.Run(tc.typ+" "+tc.text, func(t *testing.T) {
			query := "select " + tc.sql + " as v, typeof(v) as t"
			text, _, _ := written(t, d, query, JSONL, 0)
			var row struct {
				V json.RawMessage
				T string
			}
			if err := json.Unmarshal([]byte(text), &row); err != nil || string(row.V) != tc.json ||
				row.T != tc.typ {
				t.Errorf("JSON: %v\n got %s, type %s\nwant %s", err, row.V, row.T, tc.json)
			}
			for _, f := range []Format{TSV, CSV} {
				text, _, _ := written(t, d, "select "+tc.sql+" as v", f, 0)
				want := tc.text
				if f == TSV {
					want = strings.ReplaceAll(want, `\`, `\\`)
				} else if strings.ContainsAny(want, `",`) {
					want = `"` + strings.ReplaceAll(want, `"`, `""`) + `"`
				}
				if got := strings.TrimSuffix(strings.TrimPrefix(text, "v\n"), "\n"); got != want {
					t.Errorf("%s: got %s, want %s", f, got, want)
				}
			}
		})
	}
}

// A type that an engine to come has, and that is not in everyType, is one that nobody has looked at.
func TestEveryTypeOfTheEngineIsKnown(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	known := []string{"LIST", "ARRAY", "STRUCT", "MAP", "UNION", "ENUM", "DECIMAL", "BIGNUM",
		// no columns have these
		"NULL", "ANY", "TABLE", "POINTER", "LAMBDA", "INTEGER_LITERAL", "STRING_LITERAL", "TYPE", "INVALID",
		"UNKNOWN"}
	for _, tc := range everyType {
		known = append(known, tc.typ)
	}
	for _, typ := range strings.Fields(answer(
		t, d, "select distinct replace(logical_type, ' ', '_') as name from duckdb_types()", nil,
	))[1:] {
		if !slices.Contains(known, typ) && !slices.Contains(known, strings.ReplaceAll(typ, "_", " ")) {
			t.Errorf("%s is not in everyType", typ)
		}
	}
}

// readArrow prints the type and the value of the one cell of each file, as Apache Arrow knows them.
const readArrow = `
import sys, json, pyarrow.parquet as pq
for path in sys.argv[1:]:
    column = pq.read_table(path).column(0)
    try:
        text = str(column[0].as_py())
    except Exception:
        text = ""
    print(json.dumps([str(column.type), text]))
`

func TestEveryTypeIsExactInParquet(t *testing.T) {
	t.Parallel()
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import pyarrow").Run(); err != nil {
		testneed.Missing(t, "the module pyarrow (from PyPI pyarrow) is not installed")
	}
	d, _ := smallDB(t)
	b, _ := build(t, BuildOptions{})
	dir := t.TempDir()
	args := []string{"-W", "error", "-c", readArrow}
	for i, tc := range everyType {
		var out bytes.Buffer
		if _, err := d.QueryParquet(
			context.Background(), &out, "select "+tc.sql+" as v", nil, 0,
		); err != nil {
			t.Errorf("%s: %v", tc.sql, err)
			continue
		}
		path := filepath.Join(dir, fmt.Sprint(i))
		writeFile(t, path, out.Bytes())
		args = append(args, path)
		// What is not written as another type is the same when DuckDB reads it.
		same := cells(
			t, b,
			"select (select v from read_parquet("+text(path)+"))::varchar = (select ("+tc.sql+")::varchar)",
		)
		if same[0][0] != "true" && !strings.Contains(tc.typ, "UNION") && tc.typ != "VARIANT" {
			t.Errorf("%s: DuckDB does not read what was written", tc.sql)
		}
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pyarrow: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(everyType) {
		t.Fatalf("%d answers of %d\n%s", len(lines), len(everyType), out)
	}
	for i, tc := range everyType {
		var got [2]string
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if tc.arrow != "" && got[0] != tc.arrow || tc.arrowText != "" && got[1] != tc.arrowText {
			t.Errorf("%s: pyarrow reads %q\nwant %q", tc.sql, got, []string{tc.arrow, tc.arrowText})
		}
	}
}

// Excel has floating-point numbers of 64 bits: what is one is a number, what has more digits a text.
func TestNumbersAreExactInXLSX(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		typ, s string
		number bool
	}{
		{"BIGINT", "123456789012345", true}, {"BIGINT", "1234567890123456", false},
		{"DECIMAL(18,2)", "1234567890123.45", true},
		{"DECIMAL(18,2)", "12345678901234.56", false}, {"DOUBLE", "0.30000000000000004", true},
		{"DOUBLE", "1e+300", true},
		{"DOUBLE", "1.5e+308", false}, {"DOUBLE", "5e-324", false}, {"DOUBLE", "nan", false},
		{"DOUBLE", "inf", false}, {"HUGEINT", "12", true},
	} {
		if got := fitsExcel(tc.s, tc.typ); got != tc.number {
			t.Errorf("%s %s: a number %t, want %t", tc.typ, tc.s, got, tc.number)
		}
	}
}

func TestTextsThatBeginLikeFormulas(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"=1+1": true, "=HYPERLINK(\"http://x\")": true, "@SUM(A1)": true, "+cmd|' /C calc'!A0": true,
		"-2+3": true,
		"\t=1": true, "\r=1": true, "＝1+1": true, "- a dash": true, "+44 20 7946-0000": false, "-5.50": false,
		"a=1": false, " =1": false, "": false, "é": false, "ﬁ": false, "-": false, "+": false,
	} {
		if got := isFormula(s); got != want {
			t.Errorf("%q: %t, want %t", s, got, want)
		}
	}
	d, _ := smallDB(t)
	const query = "select '=1+1' as a, -1 as n, '-x' as b union all select 'plain', -2, null"
	for _, tc := range []struct {
		o    WriteOptions
		want string
	}{
		{WriteOptions{Format: CSV}, "a,n,b\n=1+1,-1,-x\nplain,-2,\n"},
		{WriteOptions{Format: CSV, NoFormulas: true}, "a,n,b\n'=1+1,-1,'-x\nplain,-2,\n"},
		{WriteOptions{Format: CSV, BOM: true}, "\uFEFFa,n,b\n=1+1,-1,-x\nplain,-2,\n"},
		{
			WriteOptions{Format: TSV, NoFormulas: true, BOM: true},
			"\uFEFFa\tn\tb\n'=1+1\t-1\t'-x\nplain\t-2\t\n",
		},
	} {
		rows, err := d.Query(context.Background(), query, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		done, err := Write(&out, rows, tc.o)
		if diff := cmp.Diff(tc.want, out.String()); err != nil || diff != "" ||
			done != (Written{Rows: 2, Formulas: 2}) {
			t.Errorf("%+v: %+v, %v\n%s", tc.o, done, err, diff)
		}
		rows.Close()
	}
	rows, err := d.Query(context.Background(), query+" union all select repeat('x', 40000), 1, null", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	done, err := Write(new(bytes.Buffer), rows, WriteOptions{Format: XLSX})
	if err != nil || done != (Written{Rows: 3, Formulas: 2, CutCells: 1, Sheets: 1}) {
		t.Errorf("%+v, %v", done, err)
	}
}
