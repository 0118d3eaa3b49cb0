/** Whether Envoy's regular expressions (RE2 syntax) will take a pattern. Pure. */

import { javaScriptRegex } from './javascript-regex.ts';
import { leastProgramSize, MAX_PROGRAM_SIZE } from './regex-size.ts';

const MAX_LENGTH = 1024;
/** RE2's limit on counted repetition. */
const MAX_REPEAT = 1000;
/** Letters that RE2 knows after a backslash. */
const ESCAPES = 'afnrtvxAzbBdDsSwWpPCQE0';

/** What is wrong with a pattern, for people; undefined when nothing is. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern === '') return 'must not be empty';
  if (pattern.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  const problem = foreignSyntax(pattern);
  if (problem !== undefined) return problem;
  const { source, flags } = javaScriptRegex(pattern);
  try {
    new RegExp(source, flags);
  } catch (error) {
    return `is not a regular expression: ${error instanceof Error ? error.message.replace(/^.*\/: /, '') : 'invalid'}`;
  }
  const size = leastProgramSize(pattern);
  if (size <= MAX_PROGRAM_SIZE) return undefined;
  return `makes a program of at least ${size} instructions, and Envoy takes ${MAX_PROGRAM_SIZE}: repeat less, or match a prefix`;
}

function foreignSyntax(pattern: string): string | undefined {
  const bare = pattern.replaceAll('\\\\', '');
  if (/\(\?(=|!|<=|<!|>)/.test(bare)) return 'has a lookaround or an atomic group, which RE2 does not have';
  if (/\\[1-9]|\\k/.test(bare)) return 'has a backreference, which RE2 does not have';
  const unknown = [...bare.matchAll(/\\([A-Za-z])/g)].find(([, letter]) => !ESCAPES.includes(letter ?? ''));
  if (unknown !== undefined) return `has ${unknown[0]}, which RE2 does not know`;
  if (bare.endsWith('\\')) return 'ends with a lone backslash';
  const counts = [...bare.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].flatMap(([, least, most]) => [Number(least), Number(most ?? 0)]);
  return counts.some((count) => count > MAX_REPEAT) ? `repeats more than ${MAX_REPEAT} times` : undefined;
}
