# Resolves what Apache Spark's reader of S3 needs, with Spark's own client of Maven Central, into DIR/jars:
#   spark-jars.py DIR
# The whole of the AWS SDK (280 MB) is replaced by those parts of it that the reader calls (11 MB).
import sys

from pyspark.sql import SparkSession

sdk = ",".join(f"com.amazonaws:aws-java-sdk-{part}:1.12.262" for part in ("s3", "sts", "dynamodb"))
spark = (SparkSession.builder.master("local[1]")
         .config("spark.ui.enabled", "false")
         .config("spark.driver.host", "127.0.0.1")
         .config("spark.driver.bindAddress", "127.0.0.1")
         .config("spark.jars.ivy", sys.argv[1])
         .config("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.3.4," + sdk)
         .config("spark.jars.excludes", "com.amazonaws:aws-java-sdk-bundle,org.wildfly.openssl:wildfly-openssl")
         .getOrCreate())
spark.stop()
