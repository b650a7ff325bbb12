export { PMTiles } from "pmtiles";
export {
  CenteredTextSymbolizer,
  GroupSymbolizer,
  LineLabelSymbolizer,
  LineSymbolizer,
  leafletLayer,
  OffsetTextSymbolizer,
  PmtilesSource,
  PolygonSymbolizer,
} from "protomaps-leaflet";
