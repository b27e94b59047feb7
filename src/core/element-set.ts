/**
 * The set: one dotted sibling for each element, whose value is the element as the client's codec encoded it. Elements are
 * equal when their bytes are.
 *
 * An observed-remove set (A. Bieniusa et al., "An optimized conflict-free replicated set", 2012): an add
 * supersedes the dots of the same element that its coordinator holds; a remove takes away those that its context has
 * seen, and leaves a dot in the record's context without a sibling. An add that the remover had not seen stays.
 */
import type { KeyRecord, Sibling } from './record.js';
import { covers, sameDot } from './version-vector.js';
import type { CausalContext } from './record.js';

/** Each element once, under its latest dot, in the order of dots. */
export function viewElements(record: KeyRecord): Sibling[] {
  const latest = new Map<string, Sibling>();
  for (const sibling of record.siblings) {
    if (sibling.value === null) continue;
    const name = elementName(sibling.value);
    const other = latest.get(name);
    if (other !== undefined && other.hlc > sibling.hlc) continue;
    latest.delete(name);
    latest.set(name, sibling);
  }
  return [...latest.values()];
}

/** The siblings that an add of `elements` stands beside: those of all other elements. */
export function besideAdded(record: KeyRecord, elements: readonly Uint8Array[]): Sibling[] {
  const added = new Set(elements.map(elementName));
  return record.siblings.filter(({ value }) => value === null || !added.has(elementName(value)));
}

/** The siblings that a remove by someone who had seen `seen` leaves. `elements` of null removes all of them. */
export function besideRemoved(
  record: KeyRecord,
  elements: readonly Uint8Array[] | null,
  seen: CausalContext,
): Sibling[] {
  const removed = elements === null ? null : new Set(elements.map(elementName));
  return record.siblings.filter(({ dot, value }) => {
    const observed = covers(seen.vector, dot) || seen.dots.some((d) => sameDot(d, dot));
    return !observed || (removed !== null && (value === null || !removed.has(elementName(value))));
  });
}

/** The elements, each once. */
export function distinctElements(elements: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(elements.map((element) => [elementName(element), element])).values()];
}

/** Equal for equal bytes. */
function elementName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
