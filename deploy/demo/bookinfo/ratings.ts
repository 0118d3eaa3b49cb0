/** ratings: stars per reviewer. `POST /ratings/0` with `{"reviewer": 1..5}` stores ratings; they live as long as the process. */
import { placeFromFlags, serve } from './workload.ts';

const MAX_REVIEWERS = 1_000;
const ratings = new Map<string, number>([
  ['Reviewer1', 5],
  ['Reviewer2', 4],
]);

function store(body: string): string | undefined {
  let given: unknown;
  try {
    given = JSON.parse(body);
  } catch {
    return 'the body is not JSON';
  }
  if (typeof given !== 'object' || given === null) return 'the body is not an object of reviewer: stars';
  for (const [reviewer, stars] of Object.entries(given)) {
    if (!Number.isInteger(stars) || stars < 1 || stars > 5) return `${reviewer}: stars are 1 to 5`;
    if (ratings.size >= MAX_REVIEWERS && !ratings.has(reviewer)) return `no more than ${MAX_REVIEWERS} reviewers`;
    ratings.set(reviewer, stars);
  }
  return undefined;
}

serve(placeFromFlags('ratings'), ({ method, body }) => {
  const wrong = method === 'POST' && body !== '' ? store(body) : undefined;
  if (wrong !== undefined) return { status: 400, body: { error: wrong } };
  return { body: { ratings: Object.fromEntries(ratings) } };
});
