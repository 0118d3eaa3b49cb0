/** `POST /join/v1/enroll` and `/join/v1/renew`: no bearer token, the join token and the proof are the credentials. */
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import { EnrollRequest, RenewRequest } from '@hawser/wire/enrolment.ts';
import type { FastifyInstance } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { StatusError } from '../http/status.ts';
import type { Enrolment } from './enrolment.ts';

/** A join is small; what is larger is not one. */
const BODY_LIMIT = 16 * 1024;
/** Joins under way at once: a guesser meets 429 before the database meets the guesses. */
const MAX_UNDER_WAY = 200;

/** A user's public nkey: 32 bytes of key, a prefix and a checksum in base32. */
const NATS_USER = /^U[A-Z2-7]{55}$/;

/** Adds both routes. */
export function registerEnrolmentRoutes(app: FastifyInstance, enrolment: Enrolment): void {
  const [enroll, renew] = [Compile(EnrollRequest), Compile(RenewRequest)];
  const clusterName = Compile(DnsLabel);
  let underWay = 0;
  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (underWay >= MAX_UNDER_WAY)
      throw new StatusError('TooManyRequests', 'too many joins at once; try again shortly', { retryAfterSeconds: 1 });
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
    }
  };
  app.post('/join/v1/enroll', { bodyLimit: BODY_LIMIT }, (request) =>
    bounded(() => enrolment.enroll(fitting(enroll, clusterName, request.body))),
  );
  app.post('/join/v1/renew', { bodyLimit: BODY_LIMIT }, (request) =>
    bounded(() => enrolment.renew(fitting(renew, clusterName, request.body))),
  );
}

function fitting<T extends { readonly cluster: string; readonly natsUser: string }>(
  validator: { Check(value: unknown): value is T; Errors(value: unknown): { instancePath: string; message: string }[] },
  clusterName: Validator<Record<string, never>, TSchema>,
  body: unknown,
): T {
  if (!validator.Check(body)) {
    const first = validator.Errors(body)[0];
    throw new StatusError('BadRequest', `this is not a join request: ${first?.instancePath ?? ''} ${first?.message ?? 'invalid'}`);
  }
  if (!NATS_USER.test(body.natsUser))
    throw new StatusError('BadRequest', 'this is not a join request: natsUser must be the public nkey of a user');
  const texts = Object.values(body).filter((value) => typeof value === 'string');
  if (!clusterName.Check(body.cluster) || texts.some((text) => /[\0\n]/.test(text))) {
    throw new StatusError('BadRequest', 'this is not a join request: cluster must be a name (RFC 1123), and no field may hold line ends');
  }
  return body;
}
