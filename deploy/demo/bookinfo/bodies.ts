/** The JSON that Bookinfo services answer one another with. */

/** Every answer names who gave it. */
export interface Named {
  readonly service: string;
  readonly version: string;
  readonly region: string;
  readonly cluster: string;
}

/** `GET /details/0`. */
export interface Details extends Named {
  readonly title: string;
  readonly author: string;
  readonly year: number;
  readonly pages: number;
  readonly publisher: string;
  readonly isbn: string;
}

/** `GET /ratings/0`: stars per reviewer. */
export interface Ratings extends Named {
  readonly ratings: Readonly<Record<string, number>>;
}

/** `GET /reviews/0`. `ratings` says who gave the stars, or why there are none; v1 has no stars at all. */
export interface Reviews extends Named {
  readonly reviews: readonly { readonly reviewer: string; readonly text: string; readonly stars?: number; readonly colour?: string }[];
  readonly ratings?: { readonly region?: string; readonly version?: string; readonly error?: string };
}
