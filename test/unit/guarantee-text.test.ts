/** What `config check` says of a namespace's quorums. */
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/cluster/config.js';
import type { NamespaceEntry } from '../../src/cluster/cluster-map.js';
import { guaranteeText, readsMeetWrites } from '../../src/cli/guarantee-text.js';

function namespace(settings: string): NamespaceEntry {
  const nodes = [1, 2, 3, 4].map((n) => `{ id: n${n}, port: ${n}, dataDir: n${n} }`).join(', ');
  const text = `cluster: c\nnodes: [${nodes}]\nnamespaces:\n  - { name: a, strategy: leaderless, ${settings} }\n`;
  return parseClusterConfig(text, 'c.yaml').namespaces[0] as NamespaceEntry;
}

describe('the guarantee of a namespace', () => {
  it('is read-your-writes where R + W > N and quorums are strict', () => {
    expect(readsMeetWrites(namespace('read: quorum'))).toBe(true);
    expect(readsMeetWrites(namespace('read: one'))).toBe(false);
    expect(guaranteeText(namespace('read: quorum'))[1]).toBe(
      'writes go on with 1 replica of a partition down, reads with 1 replica',
    );
  });

  it('is not where they are sloppy, unless every read asks all', () => {
    expect(readsMeetWrites(namespace('sloppy: true'))).toBe(false);
    expect(readsMeetWrites(namespace('sloppy: true, read: all'))).toBe(true);
    const [what, availability] = guaranteeText(namespace('sloppy: true'));
    expect(what).toContain('eventual: sloppy');
    expect(availability).toBe(
      'writes go on with 2 replicas of a partition down, as far as there are stand-ins; reads with 1 replica',
    );
    expect(guaranteeText(namespace('sloppy: true, read: all'))[0]).toContain('read-your-writes');
  });
});
