# Asks the same queries of several archives in Apache Spark, each made known by a file of statements, in a database of its own:
#   spark.py QUERIES SETTING=VALUE... -- DDL...
# prints a line of JSON for each answer: which of the archives, the query's name, the rows. Statements in a file whose name
# ends with .athena are in the dialect of Hive, which Athena takes; these are only parsed.
import json
import sys

from pyspark.sql import SparkSession

queries, settings, ddls = sys.argv[1], sys.argv[2:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
builder = SparkSession.builder.master("local[2]")
# The time zone is one that no archive has: it must not matter.
for setting in ["spark.ui.enabled=false", "spark.sql.shuffle.partitions=2", "spark.sql.session.timeZone=America/New_York",
                "spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1"] + settings:
    builder = builder.config(*setting.split("=", 1))
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")


def text(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def statements(ddl):
    lines = [line for line in open(ddl, encoding="utf-8").read().split("\n") if not line.startswith("--")]
    return [statement for statement in "\n".join(lines).split(";\n") if statement.strip()]


for ddl in [ddl for ddl in ddls if ddl.endswith(".athena")]:
    ddls.remove(ddl)
    for statement in statements(ddl):
        spark._jsparkSession.sessionState().sqlParser().parsePlan(statement)
for i, ddl in enumerate(ddls):
    spark.sql(f"CREATE DATABASE archive{i}")
    spark.sql(f"USE archive{i}")
    for statement in statements(ddl):
        spark.sql(statement)
    for part in open(queries, encoding="utf-8").read().split("-- name: ")[1:]:
        name, sql = part.split("\n", 1)
        print(json.dumps([i, name, [[text(v) for v in row] for row in spark.sql(sql).collect()]]), flush=True)
spark.stop()
