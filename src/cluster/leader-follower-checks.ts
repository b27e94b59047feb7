/** What must hold between the fields of a leader-follower namespace; see `config-checks.ts`. */
import { quorumSize } from './cluster-map.js';
import type { ConfigEntry } from './config-fields.js';
import type { LeaderFollowerFields } from './namespace-schema.js';
import type { Problem } from './yaml-source.js';

export function checkLeaderFollower(namespace: ConfigEntry<LeaderFollowerFields>, problems: Problem[]): void {
  checkMinReplicas(namespace, problems);
  checkGuarantee(namespace, problems);
}

/** Refused where it would do nothing: whoever wrote it expects that many disks, or writes that go on with so few. */
function checkMinReplicas(namespace: ConfigEntry<LeaderFollowerFields>, problems: Problem[]): void {
  const { minReplicas, replicas, ack } = namespace.values;
  if (minReplicas === undefined) return;
  const line = namespace.lineOf('minReplicas');
  const at = `${namespace.label}: minReplicas ${minReplicas}`;
  if (replicas !== undefined && minReplicas > replicas) {
    const reason = `${at} is more than its ${replicas} replicas: no write could ever succeed`;
    problems.push({ line, reason });
  }
  if (ack === 'leader' || ack === 'quorum') {
    const why = `it says without how many replicas ack: all goes on, and ack is ${ack}`;
    problems.push({ line, reason: `${at} has no meaning: ${why}; set ack to all, or leave it out` });
  } else if (replicas !== undefined && minReplicas < quorumSize('quorum', replicas)) {
    const majority = quorumSize('quorum', replicas);
    const why = `every write needs a majority of its ${replicas} replicas, ${majority}`;
    problems.push({ line, reason: `${at} would do nothing: ${why}; set ${majority} or more` });
  }
}

/** Each reason by itself, since each has its own remedy. */
function checkGuarantee(namespace: ConfigEntry<LeaderFollowerFields>, problems: Problem[]): void {
  const { guarantee, ack, read } = namespace.values;
  if (guarantee === undefined) return;
  const line = namespace.lineOf('guarantee');
  const cannot = `${namespace.label}: guarantee ${guarantee} cannot be kept`;
  if (ack === 'leader') {
    const why = 'a failover may take back a write that was acknowledged';
    problems.push({ line, reason: `${cannot}: with ack: leader ${why}; use quorum or all` });
  }
  if (read === 'follower') {
    const instead = guarantee === 'linearizable' ? 'linearizable' : 'session or linearizable';
    const why = 'a replica that has not the latest writes may answer';
    problems.push({ line, reason: `${cannot}: with read: follower ${why}; use ${instead}` });
  }
  if (read === 'session' && guarantee === 'linearizable') {
    const why = 'a read sees what its own session has seen, not the latest write of others';
    problems.push({ line, reason: `${cannot}: with read: session ${why}; use linearizable` });
  }
}
