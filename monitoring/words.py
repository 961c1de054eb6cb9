"""Every sentence about a finding, in English and Chinese: what is wrong, and what to do next."""

# ruff: noqa: E501 – a sentence is read whole, and a Chinese sign counts as two

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["en", "zh"]

SENTENCES: Mapping[str, tuple[str, str]] = {
    "held_back": (
        "{name} keeps its list of {as_of}: {reason}",
        "{name} 沿用 {as_of} 的名单：{reason}",
    ),
    "held_back_many": (
        "{n} more schools keep an older list; the report names them. Look for one cause they share.",
        "另有 {n} 所学校沿用旧名单，详见报告。请查找共同原因。",
    ),
    "run_refused": (
        "Tonight's run was not published: {reason}",
        "今晚的名单未发布：{reason}",
    ),
    "late_register": (
        "No mark of attendance came for {days} school days (the last is of {last}). "
        "Ask the data office whether the delivery ran.",
        "已连续 {days} 个教学日没有任何考勤记录（最后一条为 {last}）。请数据部门检查数据是否已报送。",
    ),
    "few_marks": (
        "{n} schools sent, on two school days running, fewer than {share:.0%} of the marks usual on those weekdays ({names}). "
        "Ask them for the rest before the next night.",
        "{n} 所学校连续两个教学日的考勤记录不足同一星期几常值的 {share:.0%}（{names}）。请在下一晚之前补报。",
    ),
    "silent_schools": (
        "{n} schools that sent registers before sent none on the latest two school days ({names}). Ask them for these.",
        "{n} 所以往有考勤的学校在最近两个教学日没有报送（{names}）。请催报。",
    ),
    "low_coverage": (
        "{n} schools sent fewer than {least:.0%} of the marks their pupils should have ({names}); of their pupils no "
        "label will be known. Ask them what keeps them from sending.",
        "{n} 所学校的考勤记录不足应有的 {least:.0%}（{names}），其学生将无法得到标签。请了解未报送的原因。",
    ),
    "vanished": (
        "{n} pupils of the last run ({share:.1%}) are in no school tonight, and nobody says that they left. "
        "Look at the enrolment register of {names}.",
        "上次名单中的 {n} 名学生（{share:.1%}）今晚不在任何学校，也没有离校记录。请检查 {names} 的学籍登记。",
    ),
    "schools_gone": (
        "{n} schools of the last run have no pupils tonight ({names}).",
        "上次名单中的 {n} 所学校今晚没有学生（{names}）。",
    ),
    "contradicted": (
        "{n} pupils ({share:.1%}) are enrolled at two places at once. Ask the schools who has them.",
        "{n} 名学生（{share:.1%}）同时在两处有学籍。请向学校核实。",
    ),
    "recoded": (
        "Marks of one kind became another: {fell} fell from {fell_from:.1%} to {fell_to:.1%} of all marks while "
        "{rose} rose from {rose_from:.1%} to {rose_to:.1%}. Ask whether the code was changed.",
        "考勤类别疑似被改码：{fell} 由 {fell_from:.1%} 降至 {fell_to:.1%}，"
        "{rose} 由 {rose_from:.1%} 升至 {rose_to:.1%}。请核实编码是否变更。",
    ),
    "marks_scale": (
        "{share:.0%} of the latest exam results are out of {points} points, which was not used before. "
        "Ask whether scores were rescaled together with their maximum.",
        "最近考试成绩中 {share:.0%} 以 {points} 分为满分，此前未使用过。请核实分数与满分是否一并换算。",
    ),
    "new_category": (
        "{register}.{column} has the new value {value!r} on {n} rows. Declare it, or ask who began to use it.",
        "{register}.{column} 出现新取值 {value!r}（{n} 行）。请登记该取值或核实来源。",
    ),
    "dead_column": (
        "{column} has no value for anybody any more. The register behind it ({registers}) is missing or empty.",
        "{column} 对所有学生均无取值，对应登记（{registers}）缺失或为空。",
    ),
    "stuck_column": (
        "{column} has the same value for everybody, which it had not before. Look at {registers}.",
        "{column} 对所有学生取值相同，此前并非如此。请检查 {registers}。",
    ),
    "null_rise": (
        "{column} is unknown for {now:.0%} of the pupils, where {before:.0%} are usual. Look at {registers}.",
        "{column} 缺失率为 {now:.0%}，通常为 {before:.0%}。请检查 {registers}。",
    ),
    "out_of_range": (
        "{share:.1%} of the values of {column} lie where hardly any lay before ({low:.3g} to {high:.3g}). "
        "Look for a changed unit or a wrong code in {registers}.",
        "{column} 有 {share:.1%} 的取值超出以往范围（{low:.3g} 至 {high:.3g}）。请检查 {registers} 的单位或编码。",
    ),
    "column_drift": (
        "{column} has drifted against {reference} for {nights} nights (PSI {psi:.2f}, moved {moved:.2f} standard "
        "deviations, {weight:.1%} of the reasons). Find out what changed in {registers}.",
        "{column} 相对 {reference} 已连续 {nights} 晚漂移（PSI {psi:.2f}，移动 {moved:.2f} 个标准差，"
        "占理由权重 {weight:.1%}）。请查明 {registers} 的变化。",
    ),
    "input_drift": (
        "The input as a whole has drifted against {reference} for {nights} nights (mean PSI weighted by "
        "importance {drift:.2f}).",
        "整体输入相对 {reference} 已连续 {nights} 晚漂移（按重要性加权的平均 PSI {drift:.2f}）。",
    ),
    "score_drift": (
        "Risks are spread otherwise than at {reference} for {nights} nights (PSI {psi:.2f}; mean risk {now:.2%} "
        "where it was {before:.2%}). The inputs above say why, or the model.",
        "风险分布与 {reference} 相比已连续 {nights} 晚不同（PSI {psi:.2f}；平均风险 {now:.2%}，此前 {before:.2%}）。"
        "原因见上述输入或模型。",
    ),
    "reason_drift": (
        "Reasons come from elsewhere than at {reference} for {nights} nights: {moved:.0%} of their weight moved, "
        "most of it to {family}.",
        "与 {reference} 相比，理由构成已连续 {nights} 晚变化：{moved:.0%} 的权重发生移动，主要移向 {family}。",
    ),
    "cohort_drift": (
        "The pupils are others than at {reference}: {what} is mixed otherwise (distance {distance:.2f}), "
        "most of all {value} ({before:.1%} before, {now:.1%} now).",
        "学生构成与 {reference} 不同：{what} 分布变化（距离 {distance:.2f}），变化最大的是 {value}"
        "（此前 {before:.1%}，现在 {now:.1%}）。",
    ),
    "new_county": (
        "{value} ({n} pupils) was not among those the model was made for. Its risks are a guess until its own "
        "labels mature; compare its first labels before relying on its list.",
        "{value}（{n} 名学生）不在模型训练范围内。在其标签成熟之前，风险仅供参考。",
    ),
    "model_altered": (
        "The model's files are not what was registered: {reason}",
        "模型文件与登记不符：{reason}",
    ),
    "model_changed": (
        "The model changed from version {before} to {now} since the last run; reasons and risks are compared "
        "again from here on.",
        "自上次运行以来模型由版本 {before} 变为 {now}；理由与风险从此重新比较。",
    ),
    "schema_changed": (
        "The model needs {n} features this version does not make ({names}). Train again.",
        "模型需要 {n} 个当前版本不再提供的特征（{names}）。请重新训练。",
    ),
    "registers_new": (
        "The registers {names} have rows now and had none when the model was made. Train again to use them.",
        "登记 {names} 现已有数据，而训练时没有。请重新训练以使用它们。",
    ),
    "labels_late": (
        "{share:.0%} of {n} exits became known later than the reporting lag of {lag} days. Figures of the latest "
        "cohorts look better than they are; ask the schools, or raise labels.reporting_lag_days.",
        "{n} 条离校记录中有 {share:.0%} 的知晓时间超过 {lag} 天的报告滞后。近期指标偏乐观；"
        "请催报或提高 labels.reporting_lag_days。",
    ),
    "labels_unknown": (
        "Of the cohort of {as_of} nobody knows of {share:.0%} of {n} pupils what became of them: their schools "
        "kept too few registers.",
        "{as_of} 这一批 {n} 名学生中有 {share:.0%} 的去向未知：所在学校考勤记录过少。",
    ),
    "precision_drop": (
        "Of the list of {as_of}, {real:.1%} left where the model expected {expected:.1%} (interval "
        "{low:.1%} to {high:.1%}, {n} listed). What made pupils leave has changed, though the inputs need not "
        "have: train again.",
        "{as_of} 名单中实际离校 {real:.1%}，模型预期 {expected:.1%}（区间 {low:.1%} 至 {high:.1%}，名单 {n} 人）。"
        "离校成因已变化：请重新训练。",
    ),
    "calibration": (
        "Risks of the cohort of {as_of} were {ratio:.2f} times what happened (interval {low:.2f} to {high:.2f}, "
        "{n} left). Train again, so that they are calibrated anew.",
        "{as_of} 这一批的风险是实际的 {ratio:.2f} 倍（区间 {low:.2f} 至 {high:.2f}，离校 {n} 人）。"
        "请重新训练以校准。",
    ),
    "expected_missed": (
        "Expected and real precision have parted over {n} mature cohorts ({ratio:.2f} times, interval "
        "{low:.2f} to {high:.2f}): do not rely on expected precision until the model is trained again.",
        "{n} 个成熟批次的预期与实际准确率已背离（{ratio:.2f} 倍，区间 {low:.2f} 至 {high:.2f}）："
        "重新训练之前请勿依赖预期准确率。",
    ),
    "below_rule": (
        "The list of {as_of} found fewer leavers than the school's rule would have ({ours} against {rule:.0f}, "
        "{n} places).",
        "{as_of} 的名单找到的离校学生少于学校规则（{ours} 对 {rule:.0f}，{n} 个名额）。",
    ),
    "short_list": (
        "{listed} pupils are listed where {usual} were, of {n}: look at the settings of the list and at the "
        "risks.",
        "名单为 {listed} 人，通常为 {usual} 人（共 {n} 人）：请检查名单设置与风险。",
    ),
    "churn": (
        "{share:.0%} of last night's list fell off at once ({n} pupils), most by {cause}. Look before the list "
        "is used.",
        "昨晚名单有 {share:.0%} 同时退出（{n} 人），主要原因是 {cause}。使用名单前请先查看。",
    ),
    "group_missed": (
        "Leavers with {attribute} = {group} are found {ratio:.2f} times as often as those of {reference} "
        "(interval {low:.2f} to {high:.2f}, {n} leavers).",
        "{attribute} = {group} 的离校学生被发现的比例是 {reference} 的 {ratio:.2f} 倍"
        "（区间 {low:.2f} 至 {high:.2f}，{n} 名离校学生）。",
    ),
    "group_falling": (
        "Leavers with {attribute} = {group} are found less and less: from {before:.2f} times as often as those of {reference} to "
        "{now:.2f} times, over {cohorts} cohorts of {first} to {last} ({n} leavers). Ask what changed for them in the "
        "registers, and how the list is used.",
        "{attribute} = {group} 的离校学生越来越少被发现：与 {reference} 之比从 {before:.2f} 倍降至 {now:.2f} 倍"
        "（{first} 至 {last} 共 {cohorts} 批，{n} 名离校学生）。请查明其登记数据与名单使用有何变化。",
    ),
    "term_schedule": (
        "The model was made {n} days ago and has not seen the last term. Train again.",
        "模型建于 {n} 天前，未包含上一学期的数据。请重新训练。",
    ),
    "care_harms": (
        "Pupils just on the list left more often than those just off it ({effect:+.0%}, interval {low:+.0%} to "
        "{high:+.0%}, {n} left). Look at what being listed leads to.",
        "刚入名单者的离校率高于刚未入名单者（{effect:+.0%}，区间 {low:+.0%} 至 {high:+.0%}，离校 {n} 人）。"
        "请检查入名单后的做法。",
    ),
    "draw_stop": (
        "What places by lot were to show is beyond doubt; end the round (comparison.share = 0), {decided_by} to decide "
        "what follows. {said}",
        "抽签比较的结果已无疑问；请结束本轮（comparison.share = 0），由 {decided_by} 决定后续。{said}",
    ),
    "draw_record": (
        "Nothing is concluded from places by lot: {reason}",
        "抽签比较暂不下结论：{reason}",
    ),
    "cohort_revised": (
        "The cohort of {as_of} was judged again, for its registers changed since {judged_on}: {now} left where {before} "
        "were known, {found_now} of them listed where {found_before} were.",
        "{as_of} 这一批因登记在 {judged_on} 之后有变而重新评估：离校 {now} 人（此前 {before} 人），"
        "其中名单内 {found_now} 人（此前 {found_before} 人）。",
    ),
    "not_asked": (
        "{what} could not be looked at: {reason}",
        "未能检查 {what}：{reason}",
    ),
    "evidently_failed": (
        "Evidently's report was not made: {reason}. The list and this report do not depend on it.",
        "Evidently 报告未生成：{reason}。名单与本报告不受影响。",
    ),
    "night_missing": (
        "The list is of {as_of}, {n} days before tonight. See whether the night ran.",
        "名单日期为 {as_of}，早于今晚 {n} 天。请检查夜间任务是否运行。",
    ),
}
"""English, then Chinese; ``{…}`` are figures of the finding."""


def sentence(code: str, language: Language, figures: Mapping[str, Any]) -> str:
    """The sentence of ``code`` with its figures.

    >>> sentence("schools_gone", "en", {"n": 2, "names": "A, B"})
    '2 schools of the last run have no pupils tonight (A, B).'
    """
    return SENTENCES[code][language == "zh"].format(**figures)
