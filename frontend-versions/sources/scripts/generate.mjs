// Makes typed documents of each frontend's operations: `src/operations.gen.ts`, not committed.
// An operation that does not fit the frontend's schema ends it with what is wrong.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as typedDocuments from '@graphql-codegen/typed-document-node';
import * as types from '@graphql-codegen/typescript-operations';
import { buildSchema, parse } from 'graphql';
import { FRONTENDS } from './frontends.mjs';

/** How the gateway writes scalars: what JavaScript's numbers cannot hold is text. */
const SCALARS = {
  ID: 'string',
  UInt32: 'number',
  Int64: 'string',
  UInt64: 'string',
  DateTime: 'string',
  Date: 'string',
  Duration: 'string',
  Bytes: 'string',
  JSON: 'unknown',
};

for (const frontend of FRONTENDS) {
  const text = await readFile(new URL('schema.graphql', frontend.root), 'utf8');
  const names = (await readdir(frontend.operations)).filter((name) => name.endsWith('.graphql'));
  const documents = names.sort().map(async (name) => {
    const operation = await readFile(new URL(name, frontend.operations), 'utf8');
    return { location: `${frontend.app}/${frontend.version}/${name}`, document: parse(operation) };
  });
  const generated = await codegen({
    filename: 'operations.gen.ts',
    schema: parse(text),
    schemaAst: buildSchema(text),
    documents: await Promise.all(documents),
    config: { scalars: SCALARS, useTypeImports: true, skipTypename: true },
    plugins: [{ types: {} }, { typedDocuments: {} }],
    pluginMap: { types, typedDocuments },
  });
  await writeFile(new URL('src/operations.gen.ts', frontend.root), generated);
}
