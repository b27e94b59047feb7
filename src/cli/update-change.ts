/**
 * What `trefoil update` does to a value: a pure function from the live values to the new one. Only
 * `resolve` may meet siblings; any other change would silently drop all but one of them.
 */
import { TrefoilError } from '../core/errors.js';

export type UpdateChange =
  | { readonly type: 'append'; readonly text: string }
  | { readonly type: 'increment'; readonly by: number }
  | { readonly type: 'merge'; readonly patch: unknown }
  | { readonly type: 'resolve'; readonly index: number };

/**
 * The new value. Throws `BadRequest` where the change is none for a value of this type, and `ConditionFailed` where it may fit once
 * somebody has written again.
 */
export function applyChange(change: UpdateChange, current: unknown, siblings: readonly unknown[]): unknown {
  if (change.type === 'resolve') return chooseSibling(siblings, change.index);
  if (siblings.length > 1)
    throw new TrefoilError(
      'ConditionFailed',
      `the key has ${siblings.length} siblings: choose one with --resolve INDEX first`,
    );
  switch (change.type) {
    case 'append':
      if (current === undefined) return change.text;
      if (typeof current === 'string') return current + change.text;
      throw new TrefoilError('BadRequest', `--append needs a text, the key holds ${kindOf(current)}`);
    case 'increment':
      if (current === undefined) return change.by;
      if (typeof current === 'number') return current + change.by;
      throw new TrefoilError('BadRequest', `--increment needs a number, the key holds ${kindOf(current)}`);
    case 'merge':
      return mergePatch(current, change.patch);
  }
}

/** JSON Merge Patch (RFC 7396): objects merge member by member, null removes a member, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return patch;
  const merged = new Map(isPlainObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function chooseSibling(siblings: readonly unknown[], index: number): unknown {
  if (index < siblings.length) return siblings[index];
  throw new TrefoilError(
    'ConditionFailed',
    siblings.length === 0
      ? 'the key is absent: there is nothing to resolve'
      : `there is no sibling ${index}: the key has ${siblings.length}, counted from 0`,
  );
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function kindOf(value: unknown): string {
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'object') return value === null ? 'null' : 'an object';
  return `a ${typeof value}`;
}
