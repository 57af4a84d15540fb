// Says what graphql-js says about values of variables.
//
// Reads variables.txt beside it from standard input and writes it anew: a case is a line with a type and a
// JSON value, and what is wrong with the value stands below, two spaces in. No value: nothing is given.
import { readFileSync } from 'node:fs';
import { buildSchema, parse } from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';

const schema = buildSchema(`
  enum Colour { RED GREEN }
  input PriceInput { needUnits: Int!, nanos: Int, before: PriceInput, tags: [String!], colour: Colour }
  type Query { price(float: Float, id: ID, boolean: Boolean): Int }
`);

function complaints(type, json) {
  const definitions = parse(`query($v: ${type}) { price }`).definitions[0].variableDefinitions;
  const values = json === '' ? {} : { v: JSON.parse(json) };
  const { errors } = getVariableValues(schema, definitions, values, { maxErrors: 10 });
  // A suggestion tells names to whoever guesses; Turnout makes none.
  const messages = (errors ?? []).map(({ message }) => message.replace(/ Did you mean .*\?$/, ''));
  return messages.map((message) => `  ${message}\n`);
}

for (const line of readFileSync(0, 'utf8').split('\n')) {
  if (line === '' || line.startsWith('  ')) continue;
  const [, type, json] = /^(\S+) ?(.*)$/.exec(line);
  process.stdout.write([`${line}\n`, ...complaints(type, json)].join(''));
}
