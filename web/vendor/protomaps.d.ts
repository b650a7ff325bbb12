export { PMTiles } from "pmtiles";
export * from "protomaps-leaflet";
