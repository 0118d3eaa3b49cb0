import { experimental, ServerCredentials } from '@grpc/grpc-js';
import type { LiveCertificate, ServerCertificate } from '@hawser/runtime/live-certificate.ts';

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type Listener = Parameters<Provider['addIdentityCertificateListener']>[0];

/**
 * Credentials of the xDS server: plain text without a certificate, else TLS with whatever certificate is current. A new one holds for
 * new connections; streams that are open go on, which is why a rotation pushes nothing to anybody.
 */
export function xdsCredentials(certificate: LiveCertificate | undefined): ServerCredentials {
  if (certificate === undefined) return ServerCredentials.createInsecure();
  const listeners = new Map<Listener, () => void>();
  return experimental.createCertificateProviderServerCredentials(
    {
      addIdentityCertificateListener: (listener) => {
        const tell = ({ cert, key }: ServerCertificate): void => listener({ certificate: Buffer.from(cert), privateKey: Buffer.from(key) });
        listeners.set(listener, certificate.onChange(tell));
        // Not at once: the server begins to watch its credentials only after they began to listen here.
        queueMicrotask(() => tell(certificate.current));
      },
      removeIdentityCertificateListener: (listener) => {
        listeners.get(listener)?.();
        listeners.delete(listener);
      },
      // Proxies prove themselves by token, not by certificate.
      addCaCertificateListener: () => undefined,
      removeCaCertificateListener: () => undefined,
    },
    null,
    false,
  );
}
