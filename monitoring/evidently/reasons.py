"""Why there is no report of Evidently's tonight, in English and Chinese."""

from __future__ import annotations

OFF = "monitoring.evidently is off."
ALONE = "There is no earlier night to compare with."
THINNED = "The values of these nights have been thinned away."
IN_CHINESE = {
    OFF: "设置 monitoring.evidently 已关闭。",
    ALONE: "没有可供比较的更早夜晚。",
    THINNED: "这些夜晚的数值已被清理。",
}
"""Of those that are foreseen; what a failed tool said itself is told as it is."""
