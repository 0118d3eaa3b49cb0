/** `hawser explain KIND[.FIELD…]`: the fields of a kind, from the schema that validates it. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { kindArgument } from './kind-argument.ts';
import { fieldsOf, type Schema, schemaAt, typeText } from './schema-fields.ts';

/** Runs the command. */
export function explainCommand(path: string): ExitCode {
  const [kindWord = '', ...steps] = path.split('.').map((step) => step.replace(/\[.*\]$/, ''));
  const kind = kindArgument(kindWord);
  const fields = steps[0] === 'spec' ? steps.slice(1) : steps;
  const schema = schemaAt(kind.spec as Schema, fields);
  if (schema === undefined)
    throw new AppError('usage', `${kind.kind} has no field ${['spec', ...fields].join('.')}; see hawser explain ${kindWord}`);
  print(`KIND:     ${kind.kind}`);
  print(`VERSION:  ${kind.versions.map((version) => `${kind.group}/${version}`).join(', ')}`);
  print(`FIELD:    ${['spec', ...fields].join('.')} <${typeText(schema)}>`);
  if (schema.description !== undefined) print(`\n${schema.description}`);
  const rows = fieldsOf(schema);
  if (rows.length === 0) return EXIT.done;
  print('\nFIELDS:');
  const columns = [
    { title: 'NAME', cell: (row: (typeof rows)[number]) => row.name },
    { title: 'TYPE', cell: (row: (typeof rows)[number]) => row.type },
    { title: 'REQUIRED', cell: (row: (typeof rows)[number]) => (row.required ? 'yes' : '') },
    { title: 'DESCRIPTION', cell: (row: (typeof rows)[number]) => row.description },
  ];
  for (const line of tableLines(columns, rows)) print(`  ${line}`);
  return EXIT.done;
}
