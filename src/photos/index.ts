/** The public face of the photo store: `import { PhotoStore } from 'trefoil/photos'`. */
export { PhotoStore } from './photo-store.js';
export type { Added, AddResult, ListOptions, PhotoStoreOptions } from './photo-store.js';
export { NO_SETTINGS } from './photo.js';
export type { Camera, NewPhoto, Photo, PhotoEdit, Position, Settings, User } from './photo.js';
export type { FeatureDefinition } from './feature.js';
export type { FeatureName, SimilarOptions, SimilarPhotos } from './feature-store.js';
export type { Neighbour } from './nearest.js';
export { mergePhotos } from './photo-merge.js';
export { checkUser, photoIdOf, photoKey, userOfPhoto } from './photo-keys.js';
export {
  COLOUR_HISTOGRAM,
  SAMPLE_SIDE,
  colourHistogram,
  hashDistance,
  perceptualHash,
} from './image-features.js';
export { generateAlbum } from './generated-album.js';
export type { AlbumOptions, GeneratedPhoto } from './generated-album.js';
