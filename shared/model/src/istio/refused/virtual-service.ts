/** Fields of VirtualService that are refused, and why. */
export const VIRTUAL_SERVICE: Readonly<Record<string, string>> = {
  'http.fault.abort.http2Error': 'Envoy cannot abort a request with an HTTP/2 error: write httpStatus or grpcStatus',
  'http.fault.delay.exponentialDelay': 'Envoy has no exponential delay: write fixedDelay',
};
