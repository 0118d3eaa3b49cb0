/** PURE: findings as text, as compilers write them, so that editors find the place. */
import { counted } from '@hawser/model/counted.ts';
import { subjectOf } from '../manifest/manifest.ts';
import type { Looked, PlacedFinding } from './analyze-command.ts';

/** Two lines: `FILE:LINE:COLUMN: severity CODE: KIND NAMESPACE/NAME: FIELD: message`, and what to do. */
export function findingLines({ code, severity, kind, namespace, name, field, message, fix, file, line, column }: PlacedFinding): string[] {
  const place = file === undefined ? '' : `${file}:${line}:${column}`;
  const subject = kind === '' ? '' : subjectOf(kind, namespace, name);
  const parts = [place, `${severity.toLowerCase()} ${code}`, subject, field, message];
  return [parts.filter((part) => part !== '').join(': '), `    ${fix}`];
}

/** How many there are, and of what. */
export function summaryLine(findings: readonly PlacedFinding[], { files, resources, stored }: Looked): string {
  const count = (wanted: PlacedFinding['severity']): number => findings.filter(({ severity }) => severity === wanted).length;
  const found = [counted(count('Error'), 'error'), counted(count('Warning'), 'warning'), counted(count('Info'), 'info')].join(', ');
  const written = files === 0 ? [] : [`${counted(resources, 'resource')} of ${counted(files, 'file')}`];
  const held = stored === undefined ? [] : [`${counted(stored, 'resource')} of the hub`];
  return `${found} in ${[...written, ...held].join(' and ')}`;
}
