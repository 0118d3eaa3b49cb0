/** The product page as HTML. Pure. */
import type { Details, Reviews } from './bodies.ts';
import type { Called } from './call.ts';
import type { Place } from './workload.ts';

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--card:#fff;--page:#f3f5f8;--line:#dde3ea;--accent:#0b63b0}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#9aa6b5;--card:#1b222c;--page:#12171e;--line:#2c3643;--accent:#6db3f2}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem}header{display:flex;gap:1rem;align-items:baseline;flex-wrap:wrap;justify-content:space-between}
h1{font:600 2rem/1.2 Georgia,serif;margin:0}h2{font-size:1.05rem;margin:0}.by{color:var(--soft);margin:.25rem 0 1.5rem}
.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.25rem}
.top{display:flex;justify-content:space-between;gap:.75rem;align-items:center;flex-wrap:wrap;margin-bottom:.75rem}
.from{font-size:.8rem;border:1px solid var(--line);border-radius:99px;padding:.1rem .6rem;color:var(--soft);white-space:nowrap}.from b{color:var(--accent);font-weight:600}
dl{display:grid;grid-template-columns:auto 1fr;gap:.3rem 1rem;margin:0}dt{color:var(--soft)}dd{margin:0}
blockquote{margin:0 0 1rem;padding-left:.9rem;border-left:3px solid var(--line)}cite{color:var(--soft);font-style:normal;font-size:.9rem}
.black{color:var(--ink)}.red{color:#d3302f}.none{color:var(--soft);font-size:.9rem}.error{color:#d3302f}`;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const safe = (text: unknown): string => String(text).replace(/[&<>"]/g, (sign) => escapes[sign] ?? sign);

function from(part: { readonly region: string; readonly version: string; readonly service: string } | undefined): string {
  return part === undefined ? '' : `<span class="from">${safe(part.service)} ${safe(part.version)} in <b>${safe(part.region)}</b></span>`;
}

function detailsCard({ body, error }: Called<Details>): string {
  const rows: readonly [string, unknown][] =
    body === undefined
      ? []
      : [
          ['Year', body.year],
          ['Pages', body.pages],
          ['Publisher', body.publisher],
          ['ISBN', body.isbn],
        ];
  const list = rows.map(([name, value]) => `<dt>${name}</dt><dd>${safe(value)}</dd>`).join('');
  const inside = body === undefined ? `<p class="error">Details are not available: ${safe(error)}</p>` : `<dl>${list}</dl>`;
  return `<section class="card"><div class="top"><h2>Details</h2>${from(body)}</div>${inside}</section>`;
}

function stars(review: Reviews['reviews'][number], ratings: Reviews['ratings']): string {
  if (ratings === undefined) return '';
  if (review.stars === undefined)
    return `<span class="none">no rating${ratings.error === undefined ? '' : `: ${safe(ratings.error)}`}</span>`;
  return `<span class="${review.colour === 'red' ? 'red' : 'black'}" title="${review.stars} of 5">${'★'.repeat(review.stars)}${'☆'.repeat(5 - review.stars)}</span>`;
}

function reviewsCard({ body, error }: Called<Reviews>): string {
  if (body === undefined)
    return `<section class="card"><h2>Reviews</h2><p class="error">Reviews are not available: ${safe(error)}</p></section>`;
  const quotes = body.reviews.map(
    (review) => `<blockquote>${safe(review.text)}<br><cite>${safe(review.reviewer)}</cite> ${stars(review, body.ratings)}</blockquote>`,
  );
  const rated =
    body.ratings?.region === undefined
      ? ''
      : `<span class="from">ratings ${safe(body.ratings.version)} in <b>${safe(body.ratings.region)}</b></span>`;
  return `<section class="card"><div class="top"><h2>Reviews</h2><span>${from(body)} ${rated}</span></div>${quotes.join('')}</section>`;
}

/** The whole page; each part shows which version, in which region, answered it. */
export function productHtml(place: Place, details: Called<Details>, reviews: Called<Reviews>): string {
  const title = details.body?.title ?? 'Bookinfo';
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${safe(title)} – Bookinfo</title><style>${STYLE}</style></head><body><main>
<header><h1>${safe(title)}</h1>${from(place)}</header><p class="by">${safe(details.body?.author ?? '')}</p>
<div class="grid">${detailsCard(details)}${reviewsCard(reviews)}</div>
</main></body></html>`;
}
