/**
 * The read-only session of the page: a cookie for browsers on this machine, so that nobody pastes a token to look at a hub on
 * loopback (docs/decisions/0002-page-session-on-loopback.md).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';

const COOKIE = 'hawser_page';
const LIFE_MS = 12 * 3_600_000;
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;
const LOOPBACK_PEER = /^(::ffff:)?127\.|^::1$/;

/** Sessions of one hub process: they end with it. */
export class PageSessions {
  readonly #key = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** `Set-Cookie` for this request; undefined unless it surely comes from a browser on this machine. */
  cookieFor(request: FastifyRequest): string | undefined {
    if (!isLocal(request)) return undefined;
    const expires = String(this.#now() + LIFE_MS);
    return `${COOKIE}=${expires}.${this.#sign(expires)}; Path=/page; HttpOnly; SameSite=Strict; Max-Age=${LIFE_MS / 1000}`;
  }

  /** Whether the request bears a valid session and still comes from this machine. */
  isValid(request: FastifyRequest): boolean {
    const [, expires, signature] = new RegExp(`(?:^|; )${COOKIE}=(\\d+)\\.([\\w-]+)`).exec(request.headers.cookie ?? '') ?? [];
    if (expires === undefined || signature === undefined || Number(expires) < this.#now()) return false;
    const [given, right] = [Buffer.from(signature), Buffer.from(this.#sign(expires))];
    return given.length === right.length && timingSafeEqual(given, right) && isLocal(request);
  }

  #sign(expires: string): string {
    return createHmac('sha256', this.#key).update(expires).digest('base64url');
  }
}

/** By the peer's address; by the name it was called, for another site's name may lead to 127.0.0.1; and by no proxy having passed it on. */
function isLocal(request: FastifyRequest): boolean {
  const { headers, socket } = request.raw;
  const isForwarded = headers['forwarded'] !== undefined || headers['x-forwarded-for'] !== undefined || headers['via'] !== undefined;
  return !isForwarded && LOOPBACK_PEER.test(socket.remoteAddress ?? '') && LOOPBACK_HOST.test(headers.host ?? '');
}
