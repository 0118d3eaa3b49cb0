/**
 * Versions of one store of an API server. They are numbers that grow (KEP-5504; etcd's revisions before it), so that an answer can be known
 * to be older than one before it. Pure.
 */

/** Whether a version is surely from before another one. Of versions that are no numbers nothing is known. */
export function isOlder(version: string, than: string | undefined): boolean {
  if (than === undefined || !isNumber(version) || !isNumber(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}

/** The newer one of two. */
export function newest(one: string | undefined, other: string): string {
  return one !== undefined && isOlder(other, one) ? one : other;
}

function isNumber(version: string): boolean {
  return /^(0|[1-9][0-9]{0,39})$/.test(version);
}
