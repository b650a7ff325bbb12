// protomaps-leaflet expects a global L.
export * as L from "leaflet";
