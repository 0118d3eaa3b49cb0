/** Spec of ExtensionProvider: what Istio keeps in `meshConfig.extensionProviders`, one resource each. */
import Type, { type Static } from 'typebox';
import { DURATION_PATTERN } from './patterns.ts';

const strict = { additionalProperties: false } as const;
const text = (description: string) => Type.String({ minLength: 1, description });
const service = Type.String({
  minLength: 1,
  description: 'Host of the service that answers: one of the mesh, as VirtualServices name it, or any other host or IP address.',
});
const port = Type.Integer({ minimum: 1, maximum: 65535, description: 'Port of the service.' });
const duration = (description: string) => Type.String({ pattern: DURATION_PATTERN, description });
const headers = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description }));
const fixed = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }));
const tagLength = Type.Optional(Type.Integer({ minimum: 1, description: 'Longest path in a span, in characters. Default: 256.' }));

const FileAccessLog = Type.Object(
  {
    path: Type.Optional(text('File that is written. Default: /dev/stdout.')),
    logFormat: Type.Optional(
      Type.Object(
        {
          text: Type.Optional(text("A line in Envoy's format, without its end. Default: Istio's.")),
          labels: fixed("Fields of a JSON object, with values in Envoy's format."),
        },
        { ...strict, description: 'Either text or labels.' },
      ),
    ),
  },
  {
    ...strict,
    description: "Access logs that Envoy writes to a file or to its own output, in Istio's default format unless told otherwise.",
  },
);

const OpenTelemetry = Type.Object(
  {
    ...{ service, port },
    http: Type.Optional(
      Type.Object(
        {
          path: text('Path that spans are posted to, such as /v1/traces.'),
          timeout: Type.Optional(duration('How long an answer may take. Default: 3s.')),
          headers: fixed('Headers of every request.'),
        },
        { ...strict, description: 'Exports by HTTP. Default: by gRPC.' },
      ),
    ),
    maxTagLength: tagLength,
  },
  { ...strict, description: 'A collector of OpenTelemetry (OTLP); its context is that of W3C.' },
);

const Zipkin = Type.Object(
  {
    ...{ service, port },
    path: Type.Optional(text('Path that spans are posted to. Default: /api/v2/spans.')),
    maxTagLength: tagLength,
    enable64bitTraceId: Type.Optional(Type.Boolean({ description: 'Trace ids of 64 bits. Default: 128 bits.' })),
    traceContextOption: Type.Optional(
      Type.Union([Type.Literal('USE_B3'), Type.Literal('USE_B3_WITH_W3C_PROPAGATION')], {
        description: 'Context by B3 alone, or by that of W3C too. Default: USE_B3.',
      }),
    ),
  },
  { ...strict, description: 'A collector of Zipkin (JSON, version 2); its context is B3.' },
);

const check = {
  ...{ service, port },
  timeout: Type.Optional(duration('How long an answer may take. Default: 10m.')),
  failOpen: Type.Optional(Type.Boolean({ description: 'Whether requests pass while the service does not answer. Default: they do not.' })),
  statusOnError: Type.Optional(Type.String({ pattern: '^[2345][0-9]{2}$', description: 'Status while it does not answer. Default: 403.' })),
  includeRequestBodyInCheck: Type.Optional(
    Type.Object(
      {
        maxRequestBytes: Type.Integer({ minimum: 1, description: 'How much of the body is sent.' }),
        allowPartialMessage: Type.Optional(Type.Boolean({ description: 'Whether a longer body is cut; else it is refused with 413.' })),
        packAsBytes: Type.Optional(Type.Boolean({ description: 'gRPC: as bytes instead of text.' })),
      },
      { ...strict, description: 'Sends the body of requests too.' },
    ),
  ),
};

const ExtAuthzHttp = Type.Object(
  {
    ...check,
    pathPrefix: Type.Optional(text('Put before the path of the request.')),
    includeRequestHeadersInCheck: headers('Headers of the request that are sent, by name; a star at either end stands for anything.'),
    includeAdditionalHeadersInCheck: fixed('Further headers that are sent.'),
    headersToUpstreamOnAllow: headers('Headers of an allowing answer that the request is given.'),
    headersToDownstreamOnAllow: headers('Headers of an allowing answer that the answer to the request is given.'),
    headersToDownstreamOnDeny: headers('Headers of a denying answer that the caller is given. Default: all of them.'),
  },
  { ...strict, description: 'Decides about requests by HTTP: 200 allows.' },
);
const ExtAuthzGrpc = Type.Object(check, { ...strict, description: "Decides about requests by gRPC, with Envoy's envoy.service.auth.v3." });

/** A service or a file that policy names: Telemetry for logs and traces, AuthorizationPolicy for decisions. Exactly one form is set. */
export const ExtensionProviderSpec = Type.Object(
  {
    defaultFor: Type.Optional(
      Type.Array(Type.Union([Type.Literal('accessLogging'), Type.Literal('tracing')]), {
        uniqueItems: true,
        description: 'What it is used for where a Telemetry names no provider.',
      }),
    ),
    envoyFileAccessLog: Type.Optional(FileAccessLog),
    opentelemetry: Type.Optional(OpenTelemetry),
    zipkin: Type.Optional(Zipkin),
    envoyExtAuthzHttp: Type.Optional(ExtAuthzHttp),
    envoyExtAuthzGrpc: Type.Optional(ExtAuthzGrpc),
  },
  {
    ...strict,
    description:
      "What Istio's meshConfig.extensionProviders lists: where logs and traces go and who decides about requests. Of namespace hawser-system it is for all.",
  },
);
export type ExtensionProviderSpec = Static<typeof ExtensionProviderSpec>;
export type FileAccessLogProvider = Static<typeof FileAccessLog>;
export type OpenTelemetryProvider = Static<typeof OpenTelemetry>;
export type ZipkinProvider = Static<typeof Zipkin>;
export type ExtAuthzHttpProvider = Static<typeof ExtAuthzHttp>;
export type ExtAuthzGrpcProvider = Static<typeof ExtAuthzGrpc>;
