/** reviews: v1 has texts alone, v2 black stars, v3 red ones; the stars come from ratings. */
import type { Ratings } from './bodies.ts';
import { call } from './call.ts';
import { placeFromFlags, serve } from './workload.ts';

const TEXTS = [
  { reviewer: 'Reviewer1', text: 'An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!' },
  {
    reviewer: 'Reviewer2',
    text: 'Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.',
  },
];
const COLOURS: Readonly<Record<string, string>> = { v2: 'black', v3: 'red' };

const place = placeFromFlags('reviews');
const colour = COLOURS[place.version];

serve(place, async ({ method, path }) => {
  if (colour === undefined || method === 'POST' || path === '/ping') return { body: { reviews: TEXTS } };
  const { body, error } = await call<Ratings>(place, 'ratings', '/ratings/0');
  const reviews = TEXTS.map((review) => ({ ...review, stars: body?.ratings[review.reviewer], colour }));
  const ratings = body === undefined ? { error } : { region: body.region, version: body.version };
  return { body: { reviews, ratings } };
});
