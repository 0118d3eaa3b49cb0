/** productpage: the page that people see, put together from details and reviews. */
import type { Details, Reviews } from './bodies.ts';
import { call } from './call.ts';
import { productHtml } from './product-html.ts';
import { placeFromFlags, serve } from './workload.ts';

const place = placeFromFlags('productpage');

serve(place, async ({ method, path }) => {
  if (method === 'POST' || path === '/ping') return {};
  const [details, reviews] = await Promise.all([
    call<Details>(place, 'details', '/details/0'),
    call<Reviews>(place, 'reviews', '/reviews/0'),
  ]);
  if (path.startsWith('/api')) return { body: { details, reviews } };
  return { html: productHtml(place, details, reviews) };
});
