import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindNamed } from '@hawser/model/kinds.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.yaml'));

it.each(files)('%s is a drill that a hub takes', (file) => {
  const drill: unknown = parse(readFileSync(join(import.meta.dirname, file), 'utf8'));
  const kind = kindNamed('Drill');
  expect(kind === undefined ? 'there is no kind Drill' : validateResource(drill, kind)).toHaveProperty('resource');
});
