/**
 * What is stored of a photo. Everything but title and tags was read from the file and never changes; title
 * and tags are what people edit, at the same time and on different sides of a cut network.
 *
 * Times are milliseconds since 1970 UTC. A camera's clock knows no zone: where the file names no offset,
 * its local time is stored as if it were UTC.
 */

export interface Camera {
  readonly make: string;
  readonly model: string;
}

export interface Position {
  /** Degrees, north positive. */
  readonly latitude: number;
  /** Degrees, east positive. */
  readonly longitude: number;
  readonly altitudeM: number | null;
}

/** How the picture was taken; null where the file does not say. */
export interface Settings {
  readonly exposureTimeS: number | null;
  readonly fNumber: number | null;
  readonly iso: number | null;
  readonly focalLengthMm: number | null;
  readonly takenAtMs: number | null;
  readonly position: Position | null;
}

export const NO_SETTINGS: Settings = {
  exposureTimeS: null,
  fNumber: null,
  iso: null,
  focalLengthMm: null,
  takenAtMs: null,
  position: null,
};

/** A photo to be stored. */
export interface NewPhoto {
  readonly user: string;
  /** Where it came from, as the importer knew it. */
  readonly path: string;
  /** Size of the file. */
  readonly bytes: number;
  /** In pixels, as shown: after the turn that the file asks for. */
  readonly width: number;
  readonly height: number;
  readonly camera: Camera | null;
  readonly settings: Settings;
  readonly tags: readonly string[];
  readonly title: string;
  /** 64 bits as 16 hexadecimal digits; see `perceptualHash`. */
  readonly perceptualHash: string;
  /** What was odd about the file, or null. */
  readonly note: string | null;
  /**
   * Names the content: 8 to 40 lower-case hexadecimal digits, say of its SHA-256. The same user, fingerprint and
   * time of taking make the same photo id. Where absent the store's `newFingerprint` makes one.
   */
  readonly fingerprint?: string;
}

/** A photo as it is stored and read. */
export interface Photo extends Omit<NewPhoto, 'fingerprint'> {
  readonly id: string;
  readonly uploadedAtMs: number;
  /** When the title was set. Grows with every change of it: see `mergePhotos`. */
  readonly titleSetAtMs: number;
}

/** What an edit may change; what is absent stays. */
export interface PhotoEdit {
  readonly title?: string;
  readonly tags?: readonly string[];
}

export interface User {
  readonly name: string;
  readonly createdAtMs: number;
}
