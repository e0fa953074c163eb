// Checks SARIF logs against the schema of SARIF 2.1.0, and that the schema refuses what breaks it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.CACHE + '/');
const Ajv = require('ajv/dist/2020').default;
const ajv = new Ajv({ allErrors: true, strict: false });
require('ajv-formats').default(ajv);
const valid = ajv.compile(JSON.parse(readFileSync(require.resolve('@microsoft/sarif-multitool-linux/sarif-2.1.0.json'))));

let wrong = 0;
for (const file of process.argv.slice(2)) {
  const log = JSON.parse(readFileSync(file));
  const [{ results, tool }] = log.runs;
  const ok = valid(log);
  console.log(`${file}: ${results.length} results of ${tool.driver.rules.length} rules: ${ok ? 'valid' : 'not valid'}`);
  if (!ok) {
    for (const error of valid.errors) console.error(`  ${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`);
    wrong += 1;
  }
  // A check that cannot fail would be none.
  const broken = structuredClone(log);
  broken.runs[0].tool.driver.nam = 'x';
  if (valid(broken)) throw new Error('the schema takes a property that SARIF does not have');
}
process.exit(wrong ? 1 : 0);
