/** Names and values of headers as Envoy takes them: one that it does not would make it refuse every route. Pure. */

/** What is wrong with a name; undefined when nothing is. */
export function headerNameProblem(name: string): string | undefined {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) ? undefined : `${JSON.stringify(name)} is no header name`;
}

/** What is wrong with a value: control characters (RFC 9110 section 5.5). */
export function headerValueProblem(value: string): string | undefined {
  return [...value].every((char) => char >= ' ' && char !== '\u007f') ? undefined : 'a control character in the value of a header';
}

/** What Envoy puts in the place of `%NAME%`, without and with `(…)` behind the name. */
const PLAIN = [
  ...['BYTES_RECEIVED', 'BYTES_SENT', 'CONNECTION_ID', 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS', 'DOWNSTREAM_LOCAL_ADDRESS'],
  ...['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_PORT'],
  ...['DOWNSTREAM_LOCAL_SUBJECT', 'DOWNSTREAM_LOCAL_URI_SAN', 'DOWNSTREAM_PEER_CERT', 'DOWNSTREAM_PEER_FINGERPRINT_256'],
  ...['DOWNSTREAM_PEER_ISSUER', 'DOWNSTREAM_PEER_SERIAL', 'DOWNSTREAM_PEER_SUBJECT', 'DOWNSTREAM_PEER_URI_SAN', 'DURATION'],
  ...['DOWNSTREAM_REMOTE_ADDRESS', 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_REMOTE_PORT', 'DOWNSTREAM_TLS_CIPHER'],
  ...['DOWNSTREAM_TLS_SESSION_ID', 'DOWNSTREAM_TLS_VERSION', 'HOSTNAME', 'PROTOCOL', 'REQUESTED_SERVER_NAME', 'RESPONSE_CODE'],
  ...['RESPONSE_CODE_DETAILS', 'RESPONSE_FLAGS', 'ROUTE_NAME', 'START_TIME', 'STREAM_ID', 'UPSTREAM_CLUSTER', 'UPSTREAM_HOST'],
  ...['UPSTREAM_LOCAL_ADDRESS', 'UPSTREAM_REMOTE_ADDRESS', 'UPSTREAM_REQUEST_ATTEMPT_COUNT', 'VIRTUAL_CLUSTER_NAME'],
];
const WITH_ARGUMENT = ['DYNAMIC_METADATA', 'ENVIRONMENT', 'FILTER_STATE', 'REQ', 'RESP', 'START_TIME', 'UPSTREAM_METADATA'];

const OPERATOR = new RegExp(`%%|%(?:${PLAIN.join('|')})%|%(?:${WITH_ARGUMENT.join('|')})\\([^()%]+\\)(?::[0-9]{1,4})?%`, 'g');

/** What is wrong with a value to be set, in which `%REQ(x)%` and its like stand for something and `%%` for a percent sign. */
export function headerFormatProblem(value: string): string | undefined {
  const problem = headerValueProblem(value);
  if (problem !== undefined) return problem;
  return value.replace(OPERATOR, '').includes('%')
    ? `${JSON.stringify(value)} has a % that Envoy would not understand: write %% for a percent sign`
    : undefined;
}
