import { describe, expect, it } from 'vitest';
import { type AgentFlags, loadAgentConfig } from './config.ts';

describe('loadAgentConfig', () => {
  it('fills in what is not said, and lets flags win over the environment', () => {
    const config = loadAgentConfig(
      { registryDir: '/r', address: '127.77.2.1' },
      { HAWSER_AGENT_ADDRESS: '127.0.0.9', HAWSER_STATE_DIR: '/s' },
    );
    expect(config).toEqual({
      ...{ token: undefined, cluster: undefined, stateDir: '/s', hubCa: undefined },
      registry: { kind: 'directory', path: '/r' },
      ...{ address: '127.77.2.1', adminAddress: '127.77.2.1', tls: false },
      ...{ gateways: ['127.77.2.1:15443'], xdsPort: 15010, adminPort: 15014, identityDir: undefined },
      caKey: { file: undefined, value: undefined },
      virtualRange: { base: 4042260480, prefix: 12 },
      sendAllUpTo: 100,
      ...{ importEndpointSlices: false, gatewayMode: false, outboundGateway: { namespace: 'hawser-system', name: 'hawser-outbound' } },
    });
    const flags = { registryDir: '/r', gateway: ['10.0.0.2:15443', '10.0.0.1:443'] };
    expect(loadAgentConfig(flags, {}).gateways).toEqual(['10.0.0.1:443', '10.0.0.2:15443']);
  });

  it('takes its objects from a directory or from an API server', () => {
    const kubernetes = { kind: 'kubernetes', kubeconfig: undefined, context: undefined, secretNamespaces: [], edgeAccounts: [] };
    expect(loadAgentConfig({ kubernetes: true }, {}).registry).toEqual(kubernetes);
    expect(loadAgentConfig({}, { HAWSER_AGENT_KUBERNETES: 'true' }).registry).toEqual(kubernetes);
    const flags = {
      kubernetes: true,
      kubeconfig: '/k',
      context: 'east',
      secretNamespace: ['edge', 'default', 'edge'],
      edgeAccount: 'edge/door',
    };
    expect(loadAgentConfig(flags, {}).registry).toEqual({
      ...{ kind: 'kubernetes', kubeconfig: '/k', context: 'east', secretNamespaces: ['default', 'edge'], edgeAccounts: ['edge/door'] },
    });
  });

  it('serves xDS by TLS beyond loopback, and keeps its plain admin door there', () => {
    const doors = (flags: Record<string, string>, env = {}): [boolean, string] => {
      const { tls, adminAddress } = loadAgentConfig({ registryDir: '/r', ...flags }, env);
      return [tls, adminAddress];
    };
    expect(doors({ address: '127.0.0.2' })).toEqual([false, '127.0.0.2']);
    expect(doors({ address: '127.0.0.2', tls: 'on' })).toEqual([true, '127.0.0.2']);
    expect(doors({ address: '10.0.0.1' })).toEqual([true, '127.0.0.1']);
    expect(doors({ address: '10.0.0.1' }, { HAWSER_ALLOW_PLAINTEXT: '1' })).toEqual([false, '10.0.0.1']);
    expect(() => doors({ address: '10.0.0.1', tls: 'off' })).toThrow('--address (HAWSER_AGENT_ADDRESS) is 10.0.0.1');
    expect(() => doors({ address: '10.0.0.1', adminAddress: '10.0.0.1' })).toThrow('--admin-address (HAWSER_AGENT_ADMIN_ADDRESS)');
  });

  it('takes gateway mode and the Service that calls for workloads without a sidecar', () => {
    const flags = { kubernetes: true, gatewayMode: true };
    expect(loadAgentConfig(flags, {}).gatewayMode).toBe(true);
    expect(loadAgentConfig({ kubernetes: true }, { HAWSER_AGENT_GATEWAY_MODE: 'true' }).gatewayMode).toBe(true);
    expect(loadAgentConfig({ ...flags, outboundGateway: 'mesh/out' }, {}).outboundGateway).toEqual({ namespace: 'mesh', name: 'out' });
  });

  const faults: [AgentFlags, string][] = [
    [{}, '--registry-dir is missing'],
    [{ registryDir: '/r', kubernetes: true }, '--registry-dir and --kubernetes are both given'],
    [{ registryDir: '/r', kubeconfig: '/k' }, '--kubeconfig, --context, --secret-namespace and --edge-account are for --kubernetes'],
    [{ kubernetes: true, context: 'east' }, '--context is of a kubeconfig'],
    [{ kubernetes: 'yes' }, '--kubernetes (HAWSER_AGENT_KUBERNETES) is "yes"'],
    [{ registryDir: '/r', address: 'localhost' }, '--address is "localhost", which is not an IP address'],
    [{ registryDir: '/r', cluster: '../us-east' }, '--cluster is "../us-east"; expected lower-case letters'],
    [{ registryDir: '/r', gateway: '10.0.0.1' }, '--gateway is "10.0.0.1"; expected IP:PORT'],
    [{ registryDir: '/r', gateway: '10.0.0.1:0' }, '--gateway is "10.0.0.1:0"; expected IP:PORT'],
    [{ registryDir: '/r', xdsPort: '70000' }, '--xds-port is "70000", which is not a port'],
    [{ registryDir: '/r', tokenFile: '/nowhere/token' }, '--token-file: ENOENT'],
    [{ registryDir: '/r', sendAllUpTo: 'all' }, '--send-all-up-to is "all"; expected a number of upstreams'],
    [{ registryDir: '/r', inject: '/s' }, '--inject (HAWSER_AGENT_INJECT) is for --kubernetes'],
    [{ registryDir: '/r', gatewayMode: 'on' }, '--gateway-mode (HAWSER_AGENT_GATEWAY_MODE) is "on"; expected true'],
    [
      { registryDir: '/r', importEndpointSlices: true },
      '--import-endpoint-slices (HAWSER_AGENT_IMPORT_ENDPOINT_SLICES) is for --kubernetes',
    ],
    [
      { kubernetes: true, importEndpointSlices: 'on' },
      '--import-endpoint-slices (HAWSER_AGENT_IMPORT_ENDPOINT_SLICES) is "on"; expected true',
    ],
    [{ registryDir: '/r', outboundGateway: 'a/b' }, '--outbound-gateway (HAWSER_AGENT_OUTBOUND_GATEWAY) is for --gateway-mode'],
    [{ registryDir: '/r', gatewayMode: true, outboundGateway: 'b' }, '--outbound-gateway is "b"; expected NAMESPACE/NAME'],
    [{ registryDir: '/r', gatewayMode: true, outboundGateway: 'a/b/c' }, '--outbound-gateway is "a/b/c"; expected NAMESPACE/NAME'],
    [{ registryDir: '/r', gatewayPort: '1' }, '--gateway-port is not a setting of the agent'],
  ];
  it.each(faults)('refuses %j', (flags, message) => {
    expect(() => loadAgentConfig(flags, {})).toThrow(message);
  });
});
