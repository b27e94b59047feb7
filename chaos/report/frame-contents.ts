/**
 * Reads a frame for a page: which messages it carries, about which key, and how an answer is tied to its question. It knows no
 * list of all messages: one that is new to it is shown by its type, with the key and sequence that it names.
 */
import { decodeFrame } from '../../src/protocol/codec.js';
import type {
  ClientOperation,
  ClientResult,
  Message,
  ReplicaMessage,
  WireError,
} from '../../src/protocol/messages.js';
import { decodeRecord } from '../../src/protocol/record-codec.js';
import { decodeValue } from '../../src/protocol/value-codec.js';
import type { CarriedMessage } from '../../src/simulation/trace.js';
import { clip } from './html.js';

/** Characters of one value or text in a detail. */
const TEXT_MAX = 60;

/** Total: bytes that are no frame are one message `unreadable`. */
export function describeFrame(frame: Uint8Array): CarriedMessage[] {
  try {
    return decodeFrame(frame).map(describeMessage);
  } catch {
    return [{ name: 'unreadable', key: null, exchange: null, isAnswer: false, detail: '' }];
  }
}

function describeMessage(message: Message): CarriedMessage {
  switch (message.type) {
    case 'request': {
      const { id, operation } = message;
      return {
        name: operation.type,
        key: 'key' in operation ? operation.key : null,
        exchange: `request ${id}`,
        isAnswer: false,
        detail: operationText(operation),
      };
    }
    case 'response': {
      const { id, result } = message;
      const name = 'type' in result ? result.type : 'error';
      return { name, key: null, exchange: `request ${id}`, isAnswer: true, detail: resultText(result) };
    }
    case 'replica':
      return describeReplica(message);
    default:
      return {
        name: message.type,
        key: null,
        exchange: null,
        isAnswer: false,
        detail: connectionText(message),
      };
  }
}

function describeReplica({ group, message }: ReplicaMessage): CarriedMessage {
  const fields: Readonly<Record<string, unknown>> & { readonly type: string } = { ...message };
  const { key, sequence, status, record, home } = fields;
  return {
    name: fields.type,
    key: typeof key === 'string' ? key : null,
    exchange: typeof sequence === 'number' ? `${group} ${sequence}` : null,
    isAnswer: fields.type.endsWith('-result'),
    detail: [
      ...(typeof status === 'string' ? [status] : []),
      ...(typeof home === 'string' ? [`for ${home}`] : []),
      ...(record instanceof Uint8Array ? [recordText(record)] : []),
    ].join(' '),
  };
}

function operationText(operation: ClientOperation): string {
  switch (operation.type) {
    case 'put': {
      const what = operation.value === null ? 'delete' : valueText(operation.value);
      return operation.attempt === 0 ? what : `${what} (attempt ${operation.attempt + 1})`;
    }
    case 'change': {
      const { change } = operation;
      return change.kind === 'increment' ? `by ${change.by}` : `${change.kind} ${listText(change.elements)}`;
    }
    case 'scan':
      return `partition ${operation.partition}, prefix ${clip(operation.prefix, TEXT_MAX)}`;
    default:
      return '';
  }
}

function resultText(result: ClientResult | WireError): string {
  if (!('type' in result)) return clip(`${result.code} (${result.outcome}): ${result.message}`, 2 * TEXT_MAX);
  if (result.type === 'get-result') return listText(result.values.map(({ value }) => value));
  if (result.type === 'put-result') return result.siblings > 1 ? `${result.siblings} siblings` : '';
  return '';
}

function connectionText(
  message: Exclude<Message, { readonly type: 'request' | 'response' | 'replica' }>,
): string {
  switch (message.type) {
    case 'hello':
      return `${message.role} ${clip(message.id, TEXT_MAX)}`;
    case 'refused':
      return message.error.code;
    case 'goodbye':
      return clip(message.reason, TEXT_MAX);
    default:
      return '';
  }
}

/** What a record holds: its live values, or that they are deleted. */
function recordText(bytes: Uint8Array): string {
  try {
    const { siblings } = decodeRecord(bytes);
    const values = siblings.flatMap(({ value }) => (value === null ? [] : [value]));
    const deleted = siblings.length - values.length;
    return [listText(values), ...(deleted > 0 ? [`and ${deleted} deleted`] : [])].join(' ');
  } catch {
    return `${bytes.length} bytes`;
  }
}

function listText(values: readonly Uint8Array[]): string {
  return clip(`[${values.map(valueText).join(', ')}]`, 2 * TEXT_MAX);
}

function valueText(bytes: Uint8Array): string {
  try {
    const value = decodeValue(bytes);
    const plain = (_: string, part: unknown): unknown => (typeof part === 'bigint' ? String(part) : part);
    return clip(typeof value === 'string' ? value : JSON.stringify(value, plain), TEXT_MAX);
  } catch {
    return `${bytes.length} bytes`;
  }
}
