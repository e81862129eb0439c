// Prints the cases of Papa Parse's tests that hold a text and the rows that it is, one JSON object a line.
// The argument is its tests/test-cases.js, which is run with stand-ins for what it tests.
const fs = require('fs');
const vm = require('vm');

const found = {
  require: (name) => (name === 'chai' ? { assert: {} } : { RECORD_SEP: '\x1e', UNIT_SEP: '\x1f', BAD_DELIMITERS: [] }),
  describe: Object.assign(() => {}, { skip() {} }),
  module: { exports: {} },
  process, console, setTimeout,
};
vm.createContext(found);
vm.runInContext(
  fs.readFileSync(process.argv[2], 'utf8') + ';globalThis.cases = CORE_PARSER_TESTS.concat(PARSE_TESTS);', found);
for (const { description, input, config, expected } of found.cases) {
  const rows = expected && expected.data;
  if (typeof input === 'string' && Array.isArray(rows) && rows.every((row) => Array.isArray(row))) {
    const faults = expected.errors ? expected.errors.length : 0;
    console.log(JSON.stringify({ description, input, config: Object.keys(config || {}), rows, faults }));
  }
}
