/** The parts of ECharts that the charts use; nothing else is bundled. */
import {BarChart, HeatmapChart, LineChart, RadarChart} from "echarts/charts";
import {AriaComponent, GridComponent, LegendComponent, MatrixComponent, RadarComponent, TooltipComponent} from "echarts/components";
import {init, use} from "echarts/core";
import {CanvasRenderer} from "echarts/renderers";

use([
  BarChart, HeatmapChart, LineChart, RadarChart,
  AriaComponent, GridComponent, LegendComponent, MatrixComponent, RadarComponent, TooltipComponent,
  CanvasRenderer,
]);

export {init};
export type {ECharts} from "echarts/core";
