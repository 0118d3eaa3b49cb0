/** Whether a subject matches a subscription's pattern: `*` is one token, a last `>` one or more. Pure. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const found = subject.split('.');
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return found.length > index;
    const actual = found[index];
    if (actual === undefined || (token !== '*' && token !== actual)) return false;
  }
  return wanted.length === found.length;
}
