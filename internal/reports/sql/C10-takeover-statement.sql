-- title: Statement of the takeover
-- description: Rows and columns of the ten tables, with the date of the snapshot.
select (select value from archive_meta where key='snapshot_at') as snapshot, table_name, estimated_size as row_count, column_count from duckdb_tables() where schema_name='main' and table_name in ('attachments','audit_logs','candidates','companies','contacts','folder_records','job_pipelines','jobs','tasks','users') order by 2
