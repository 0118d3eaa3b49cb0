/** `bookinfo/reviews` in two versions, for tests that move traffic between them. */

const meta = (name: string, labels = ''): string => `metadata: {name: ${name}, namespace: bookinfo${labels}}`;
const slice = (version: string, address: string): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n${meta(`reviews-${version}`, `, labels: {kubernetes.io/service-name: reviews, version: ${version}}`)}\naddressType: IPv4\nports: [{name: http, port: 9080}]\nendpoints: [{addresses: [${address}]}]\n`;

/** Registry objects of the exported service: each version is one server, at port 9080 of its address. */
export function twoVersions(v1: string, v2: string): string {
  return [
    `apiVersion: v1\nkind: Service\n${meta('reviews')}\nspec: {ports: [{name: http, port: 80, targetPort: 9080}]}\n`,
    `apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n${meta('reviews')}\n`,
    slice('v1', v1),
    slice('v2', v2),
  ].join('---\n');
}
