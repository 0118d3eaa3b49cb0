import { expect, it } from 'vitest';
import { outboundGatewayVerifier } from './outbound-gateway.ts';

const ACCOUNT = { namespace: 'mesh', serviceAccount: 'out' };
const mode = { gatewayMode: true, outboundGateway: { namespace: 'mesh', name: 'out' } };
const of =
  (identity: object | undefined) =>
  (settings: typeof mode): Promise<unknown> =>
    outboundGatewayVerifier(async () => identity && { cluster: 'us-east', ...ACCOUNT, ...identity }, settings)('token');

it('says of the account of the outbound gateway alone that it may be one, and in gateway mode alone', async () => {
  expect(await of({})(mode)).toEqual({ cluster: 'us-east', ...ACCOUNT, outboundGateway: true });
  for (const other of [{ namespace: 'bookinfo' }, { serviceAccount: 'reviews' }])
    expect(await of(other)(mode)).toEqual({ cluster: 'us-east', ...ACCOUNT, ...other });
  expect(await of({})({ ...mode, gatewayMode: false })).toEqual({ cluster: 'us-east', ...ACCOUNT });
  expect(await of(undefined)(mode)).toBeUndefined();
});
