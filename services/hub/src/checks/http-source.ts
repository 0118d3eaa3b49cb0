/** The status of one HTTP answer. Whoever may write policies chooses the URL, so that it goes to public addresses alone unless the hub's operator says otherwise. */
import type { Measurement } from '@hawser/model/check-verdict.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { boundedRequest } from '../outgoing/bounded-request.ts';
import { ForbiddenAddress } from '../outgoing/public-address.ts';
import type { Patience } from './prometheus-source.ts';

/** No answer at all is a failure of what is looked at, and not of the looking: status 0. */
const NO_ANSWER = 0;

/** Asks. Resolves with an error where the hub may not ask. */
export async function askHttp(
  url: string,
  { allowPrivate, ...patience }: Patience & { readonly allowPrivate: boolean },
): Promise<Measurement> {
  try {
    const { status } = await boundedRequest(new URL(url), { ...patience, mostBytes: 0, forbidden: allowPrivate ? undefined : forbidden });
    return { value: status };
  } catch (error) {
    if (error instanceof ForbiddenAddress) return { error: messageOf(error) };
    if (patience.signal.aborted) throw error;
    return { value: NO_ANSWER };
  }
}

function forbidden(address: string): string {
  return `${address} is not of the public Internet: a hub that may ask there is run with --private-check-endpoints on`;
}
