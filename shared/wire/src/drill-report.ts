/** Reports of drills as the hub's API answers them. */
import { DRILL_OUTCOMES } from '@hawser/model/drill-evidence.ts';
import { oneOf } from '@hawser/model/one-of.ts';
import Type, { type Static } from 'typebox';

/** Forms of a report. `html` is one file that needs no other. */
export const REPORT_FORMATS = ['json', 'html', 'md'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Query of a report's route. */
export const ReportParameters = Type.Object(
  {
    format: Type.Optional(
      Type.Union(
        REPORT_FORMATS.map((format) => Type.Literal(format)),
        { description: 'Default: json.' },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ReportParameters = Static<typeof ReportParameters>;

/** Query of a drill's trend. */
export const TrendParameters = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Newest runs that are answered. Default: 50.' })) },
  { additionalProperties: false },
);
export type TrendParameters = Static<typeof TrendParameters>;

const ms = (description: string) =>
  Type.Union([Type.Number(), Type.Null()], { description: `${description} Milliseconds; null: not known.` });

/** One run of a drill in short. */
export const TrendEntry = Type.Object({
  run: Type.String(),
  requestedAt: Type.String({ description: 'RFC 3339.' }),
  endedAt: Type.String({ description: 'RFC 3339.' }),
  mode: Type.Union([Type.Literal('dryRun'), Type.Literal('live')]),
  outcome: oneOf(DRILL_OUTCOMES, 'How it ended.'),
  why: Type.String(),
  rtoMs: ms('Recovery time.'),
  rtoTargetMs: ms('Its objective.'),
  requests: Type.Integer({ description: 'Client requests to the services of the drill.' }),
  failed: Type.Integer({ description: 'Those of them that failed.' }),
  longestGapMs: ms('Longest gap of any service and cluster of callers.'),
  digest: Type.String({ description: 'What the signed report is known by.' }),
});
export type TrendEntry = Static<typeof TrendEntry>;

/** Runs of a drill, the newest first. */
export const DrillTrend = Type.Object({ drill: Type.String(), runs: Type.Array(TrendEntry) });
export type DrillTrend = Static<typeof DrillTrend>;

/** Keys that reports are signed with (RFC 7517). */
export const ReportKeySet = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.Literal('OKP'),
      crv: Type.Literal('Ed25519'),
      x: Type.String({ description: 'Raw public key, base64url.' }),
      kid: Type.String({ description: 'RFC 7638 thumbprint.' }),
    }),
  ),
});
export type ReportKeySet = Static<typeof ReportKeySet>;
