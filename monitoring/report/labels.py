"""Words of the report's page, in English and Chinese."""
# ruff: noqa: E501 – a sentence is read whole, and a Chinese sign counts as two

from __future__ import annotations

from monitoring.words import Language

PAGE: dict[str, tuple[str, str]] = {
    "title": ("Monitoring of the night of {as_of}", "{as_of} 夜间监测"),
    "keep": ("Keep", "维持"),
    "investigate": ("Investigate", "需调查"),
    "retrain": ("Retrain", "需重新训练"),
    "keep_said": (
        "Tonight's list may be used. Nothing asks for somebody to act.",
        "今晚的名单可以使用，无需处理。",
    ),
    "investigate_said": (
        "Use tonight's list with the following in mind; somebody must look.",
        "使用今晚的名单时请注意以下事项，需有人核查。",
    ),
    "retrain_said": (
        "The list stays as it is, but the model must be made anew.",
        "名单保持不变，但模型需要重新训练。",
    ),
    "three": ("What matters tonight", "今晚要点"),
    "pupils": (
        "{students:,} pupils, {listed:,} listed, model {version}",
        "{students:,} 名学生，名单 {listed:,} 人，模型 {version}",
    ),
    "expected": (
        "Expected precision of the list: {value:.0%} (mean risk of {n:,} listed).",
        "名单预期准确率：{value:.0%}（{n:,} 名名单内学生的平均风险）。",
    ),
    "real": (
        "The last mature list, of {as_of}, was right for {value:.0%} ({found} of {n:,} listed left within {days} days).",
        "最近一批成熟名单（{as_of}）准确率 {value:.0%}（{n:,} 人中 {found} 人在 {days} 天内离校）。",
    ),
    "unread": (
        "No list has matured yet: how often lists are right is not known.",
        "尚无成熟批次：名单的准确率未知。",
    ),
    "stayed": (
        "{share:.0%} of the list of {days} days before is listed again ({n:,} pupils).",
        "{days} 天前名单的 {share:.0%} 仍在名单内（{n:,} 人）。",
    ),
    "held_none": ("No school is held back (n {n:,}).", "没有学校被暂缓发布（共 {n:,} 所）。"),
    "alerts": ("All that asks for action", "待处理事项"),
    "also": ("Also noticed", "其他情况"),
    "none": ("Nothing.", "无。"),
    "since": ("since {since}, {nights} nights", "自 {since} 起，{nights} 晚"),
    "silenced": ("silenced until {until}: {why}", "静默至 {until}：{why}"),
    "data_office": ("data office", "数据部门"),
    "data_scientist": ("data scientist", "数据科学人员"),
    "responsible": ("who answers for the system", "系统负责人"),
    "drift": ("Drift", "漂移"),
    "drift_caption": (
        "Mean PSI of the inputs, weighted by importance, and PSI of the risks, by night; against {reference}. n {n:,} tonight, {m:,} then.",
        "按重要性加权的输入平均 PSI 与风险 PSI（按晚）；对照 {reference}。今晚 {n:,} 人，当时 {m:,} 人。",
    ),
    "drift_none": (
        "There is nothing to compare with: no night of last school year, and no quantiles of the training.",
        "没有可比对象：既无上学年的夜间记录，也无训练分位数。",
    ),
    "weighted": ("inputs", "输入"),
    "scores": ("risks", "风险"),
    "columns": ("The columns that moved most (PSI × importance)", "变化最大的列（PSI × 重要性）"),
    "column": ("Column", "列"),
    "family": ("Family", "类别"),
    "moved": ("Moved (SD)", "移动（标准差）"),
    "weight": ("Weight", "权重"),
    "reasons": ("Where reasons come from: then, now", "理由构成：当时与现在"),
    "calibration": ("Calibration", "校准"),
    "calibration_caption": (
        "Expected and observed share who left, by place on the list; cohort of {as_of} + {days} days, n {n:,}, {left} left. Bars: 95 % over schools.",
        "按名单位置的预期与实际离校比例；{as_of} 起 {days} 天，n {n:,}，离校 {left} 人。竖线为按学校的 95% 区间。",
    ),
    "precision": ("Precision over time", "准确率随时间变化"),
    "precision_caption": (
        "Of each list, the share who left within {days} days, and what the model expected; {n} cohorts, mature ones with 95 % over schools.",
        "每份名单中 {days} 天内离校的比例及模型预期；{n} 个批次，成熟批次附 95% 区间。",
    ),
    "expected_line": ("expected", "预期"),
    "real_line": ("real", "实际"),
    "gain": ("Gain at the length of the list", "名单长度与收益"),
    "gain_caption": (
        "Share of all leavers found by a list of so many, cohort of {as_of}, {left} left; the point is the list as it was. Lift over the school's rule {lift}.",
        "不同长度名单找到的离校学生比例；{as_of} 批次，离校 {left} 人；圆点为实际名单。相对学校规则的提升 {lift}。",
    ),
    "model_line": ("model", "模型"),
    "rule_line": ("school's rule", "学校规则"),
    "cohorts": ("Cohorts", "批次"),
    "state": ("State", "状态"),
    "mature": ("mature", "成熟"),
    "partial": ("partial", "部分"),
    "immature": ("immature", "未成熟"),
    "listed": ("Listed", "名单"),
    "left": ("Left", "离校"),
    "recall": ("Recall", "召回率"),
    "groups": ("Groups", "群体"),
    "groups_caption": (
        "Share of each group that is listed tonight; groups under {cell} pupils, or with fewer listed, are not shown.",
        "今晚各群体进入名单的比例；少于 {cell} 人的单元不显示。",
    ),
    "group": ("Group", "群体"),
    "found": ("Leavers found", "离校被发现"),
    "groups_over_time": ("Groups over time", "群体随时间变化"),
    "groups_over_time_caption": (
        "How much of a group's leavers the list found, over the largest group's, on a line through mature cohorts whose {days} days do not overlap; * falls beyond chance, and by so much that it matters.",
        "名单找到的各群体离校学生比例与最大群体之比，取互不重叠的 {days} 天成熟批次拟合直线；* 表示下降超出偶然且幅度重要。",
    ),
    "window": ("Window", "时段"),
    "first_ratio": ("× at first", "× 起初"),
    "last_ratio": ("× at last", "× 最近"),
    "a_year": ("a year, 95 %", "每年变化，95 %"),
    "stability": ("The list, night to night", "名单的逐晚变化"),
    "stability_said": (
        "{entered} came onto the list, {left} fell off it, {stayed} stayed.",
        "新入 {entered} 人，退出 {left} 人，保留 {stayed} 人。",
    ),
    "cause": ("Cause", "原因"),
    "entries": ("Entries", "新入"),
    "exits": ("Exits", "退出"),
    "data": ("the pupil's data", "学生数据"),
    "boundary": ("the line moved", "分界移动"),
    "model": ("the model", "模型"),
    "cohort": ("enrolment", "学籍"),
    "coverage": ("What the registers of attendance hold", "考勤登记覆盖率"),
    "coverage_caption": (
        "Marks sent over marks due, {window} ({days} school days, {n} schools); counties and schools with the least.",
        "实有记录占应有记录的比例，{window}（{days} 个教学日，{n} 所学校）；列出最低的县和学校。",
    ),
    "care": ("Does care help?", "帮扶是否有效？"),
    "care_caption": (
        "Regression discontinuity at the end of each school's list; cohorts {windows}; n {n:,} near the line, {left} left. Cared for: {on} of the listed, {off} of the others.",
        "各校名单末位处的断点回归；批次 {windows}；附近 {n:,} 人，离校 {left} 人。接受帮扶：名单内 {on}，名单外 {off}。",
    ),
    "evidently": ("Evidently's report", "Evidently 报告"),
    "small": ("too few", "人数过少"),
    "care_row": ("Care", "帮扶"),
    "stage_row": ("Stage", "学段"),
    "county_row": ("County", "县区"),
    "by_group": ("At the list, by group", "名单内各群体"),
    "advice": (
        "Counts only; no pupil is named here. Drift informs, quality holds back, and nothing here promotes a model.",
        "仅含统计数；不出现学生姓名。漂移仅供参考，质量问题才会暂缓发布，任何情况都不会自动启用模型。",
    ),
}


GROUPS: dict[str, tuple[str, str]] = {
    "sex": ("sex", "性别"),
    "ethnicity": ("ethnicity", "民族"),
    "disability": ("disability", "残疾"),
    "left_behind": ("left behind", "留守"),
    "poverty": ("poverty", "困难类别"),
    "relocated": ("relocated", "易地搬迁"),
    "boarding": ("boarding", "寄宿"),
    "F": ("female", "女"),
    "M": ("male", "男"),
    "true": ("yes", "是"),
    "false": ("no", "否"),
    "none": ("none", "无"),
    "lifted": ("lifted", "脱贫户"),
    "monitored": ("monitored", "监测户"),
    "minimum_living": ("minimum living", "低保"),
    "primary": ("primary", "小学"),
    "junior": ("junior", "初中"),
    "senior": ("senior", "高中"),
    "cared for": ("cared for", "已帮扶"),
    "not cared for": ("not cared for", "未帮扶"),
}
"""Attributes and their values as a page tells them; others, as an ethnicity, stand as they are."""


def group(name: str, language: Language) -> str:
    """An attribute or one of its values in words.

    >>> group("left_behind", "zh"), group("汉族", "en")
    ('留守', '汉族')
    """
    return GROUPS[name][language == "zh"] if name in GROUPS else name


def word(key: str, language: Language, **figures: object) -> str:
    """A word or sentence of the page.

    >>> word("title", "en", as_of="2026-06-09")
    'Monitoring of the night of 2026-06-09'
    """
    return PAGE[key][language == "zh"].format(**figures)
