/**
 * The schema of a cluster config, field by field (namespaces: `namespace-schema.ts`): what each accepts, its default, and what to say of
 * anything else. Each field stands alone, so that one wrong field never hides what is wrong with another;
 * what must hold between fields is in `config-checks.ts`.
 *
 * A reason completes the sentence that starts with the field's name ("port must be ..."). The value found
 * is quoted, except for credentials, which never appear in a message.
 */
import { z } from 'zod';
import { nodeId } from '../core/ids.js';
import { name, shown, text, wholeNumber } from './schema-parts.js';

const HOST = /^[A-Za-z0-9._:-]{1,255}$/;
/** Addresses that mean "every interface" to a listener and nothing to whoever wants to connect. */
const WILDCARD_HOSTS: readonly string[] = ['0.0.0.0', '::', '*'];

export const clusterSchema = z.object({
  cluster: name(),
  epoch: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(1),
  credentials: z
    .string({ error: 'must be text: put it in quotes' })
    .min(1, { error: 'must not be empty: leave it out for none' })
    .default(''),
});

export const nodeSchema = z.object({
  id: name().transform(nodeId),
  host: text()
    .regex(HOST, { error: ({ input }) => `must be a host name or an IP address, not ${shown(input)}` })
    .refine((host) => !WILDCARD_HOSTS.includes(host), {
      error: ({ input }) =>
        `must be an address that other nodes and clients can connect to, and ${shown(input)} is none`,
    })
    .default('127.0.0.1'),
  port: wholeNumber(1, 65_535),
  zone: name().default('default'),
  weight: z
    .number({ error: ({ input }) => `must be a number above 0, not ${shown(input)}` })
    .positive({ error: ({ input }) => `must be a number above 0, not ${shown(input)}` })
    .max(1_000_000, { error: ({ input }) => `must be at most 1000000, not ${shown(input)}` })
    .default(1),
  dataDir: text().min(1, { error: 'must not be empty' }),
});

export type ClusterFields = z.infer<typeof clusterSchema>;
export type NodeFields = z.infer<typeof nodeSchema>;
