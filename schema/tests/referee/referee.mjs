// Says what graphql-js says about schemas and documents.
//
// Reads one JSON object from standard input, {"schemas": {name: sdl}, "documents": [text], "world": sdl},
// and writes one, {"schemas": {name: {errors, printed, introspection}}, "documents": [[message]]}.
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  introspectionFromSchema,
  Kind,
  parse,
  printSchema,
  validate,
  validateSchema,
} from 'graphql';

// What may be written for the scalars of Turnout, by its kind: the values themselves are no part of
// validation. A scalar that is not named here takes anything.
const isIntWithin = (min, max) => (node) =>
  node.kind === Kind.INT && BigInt(node.value) >= min && BigInt(node.value) <= max;
const isString = (node) => node.kind === Kind.STRING;
const isIntOrDigitsWithin = (min, max) => (node) =>
  isIntWithin(min, max)(node) ||
  (isString(node) && /^[-+]?[0-9]+$/.test(node.value) && BigInt(node.value.replace('+', '')) >= min && BigInt(node.value.replace('+', '')) <= max);
const takes = {
  UInt32: isIntWithin(0n, 2n ** 32n - 1n),
  Int64: isIntOrDigitsWithin(-(2n ** 63n), 2n ** 63n - 1n),
  UInt64: isIntOrDigitsWithin(0n, 2n ** 64n - 1n),
  Bytes: isString,
  DateTime: isString,
  Duration: isString,
  Date: isString,
  FieldMask: isString,
};

function schemaOf(sdl) {
  const schema = buildSchema(sdl);
  for (const [name, isTaken] of Object.entries(takes)) {
    const scalar = schema.getType(name);
    if (scalar) {
      scalar.parseLiteral = (node) => {
        if (!isTaken(node)) throw new Error(`not a ${name}`);
        return node;
      };
    }
  }
  return schema;
}

function aboutSchema(sdl) {
  const schema = buildSchema(sdl);
  return {
    errors: validateSchema(schema).map((error) => error.message),
    printed: printSchema(schema),
    introspection: introspectionFromSchema(schema, { inputValueDeprecation: true }),
  };
}

function aboutDocument(schema, text) {
  try {
    return validate(schema, parse(text)).map((error) => error.message);
  } catch (error) {
    return [error.message];
  }
}

const asked = JSON.parse(readFileSync(0, 'utf8'));
const world = schemaOf(asked.world);
const answer = {
  schemas: Object.fromEntries(Object.entries(asked.schemas).map(([name, sdl]) => [name, aboutSchema(sdl)])),
  documents: asked.documents.map((text) => aboutDocument(world, text)),
};
process.stdout.write(JSON.stringify(answer));
