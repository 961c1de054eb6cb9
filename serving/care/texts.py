"""Words of care in both languages, and the templates of plans: what teachers do about each family."""

from __future__ import annotations

from collections.abc import Mapping

from risk_model.explanation.words import Language

Words = Mapping[str, tuple[str, str]]

CONTACT_KINDS: Words = {
    "talk": ("talk with the pupil", "与学生谈话"),
    "home_visit": ("home visit", "家访"),
    "phone": ("telephone call", "电话联系"),
    "message": ("message", "短信或微信"),
    "meeting": ("meeting at school", "到校面谈"),
    "other": ("other", "其他"),
}
JUDGEMENTS: Words = {
    "agree": ("the reasons are right", "同意系统给出的原因"),
    "disagree": ("the reasons are wrong", "不同意系统给出的原因"),
    "unsure": ("not sure about the reasons", "不确定原因是否属实"),
}
OUTCOMES: Words = {
    "attends": ("attends school regularly", "正常到校就读"),
    "returned": ("had left and was persuaded back", "已劝返复学"),
    "home_teaching": ("is taught at home", "送教上门"),
    "special_school": ("went to a special school", "转入特殊教育学校"),
    "transferred": ("went to another school", "已转学"),
    "left": ("left school all the same", "仍然辍学"),
    "no_need": ("needed no care after all", "经了解无需帮扶"),
    "other": ("other", "其他"),
}
STEP_KINDS: Words = {
    "opened": ("care begun", "立案"),
    "assigned": ("given to somebody else", "更换帮扶人"),
    "plan": ("plan", "帮扶计划"),
    "contact": ("contact", "联系"),
    "review": ("review", "复核"),
    "closed": ("closed", "销号"),
}
PLANS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "attendance": (
        (
            "Ask the pupil, alone and without blame, what makes coming hard.",
            "单独与学生谈心，不责备，了解不愿到校的原因。",
        ),
        ("Call home on the first day of each absence, before noon.", "缺勤当天上午即与家长联系。"),
        ("Visit the home if nobody answers for two days.", "连续两天联系不上的，及时家访。"),
        (
            "Agree on a small step for the coming week, and notice it when it is taken.",
            "约定下周的一个小目标，做到后及时肯定。",
        ),
    ),
    "learning": (
        ("Find with the subject teachers which basics are missing.", "会同科任教师找出薄弱的基础知识。"),
        (
            "Set tasks the pupil can master, for two weeks, and praise what succeeds.",
            "两周内布置学生能完成的任务，及时表扬。",
        ),
        ("Give a classmate or teacher for two short lessons a week.", "安排同学或教师每周两次短时辅导。"),
        (
            "Look at the next test together, at what was gained and not at the rank.",
            "一起分析下次测验，看进步，不看名次。",
        ),
    ),
    "family": (
        (
            "Speak with whoever looks after the child, at a time that suits them.",
            "选监护人方便的时间当面沟通。",
        ),
        (
            "Let the child call absent parents regularly; write down who can be reached when.",
            "安排学生与外出父母定期通话，登记联系方式。",
        ),
        (
            "Check all aid the family is entitled to, and help with the application.",
            "逐项核对应享受的资助，协助申请，应助尽助。",
        ),
        (
            "Ask the township or women's federation for help where the school cannot.",
            "学校难以解决的，请乡镇或妇联协助。",
        ),
    ),
    "distance": (
        (
            "Ask how the pupil comes and goes, and how long it takes in bad weather.",
            "了解上下学方式，以及恶劣天气时的用时。",
        ),
        (
            "Offer a boarding place, and show dormitory and meals to the family.",
            "提供寄宿床位，请家长看宿舍和食堂。",
        ),
        (
            "Look for a bus, a shared way, or a nearer school with places.",
            "协调校车、结伴同行或有学位的就近学校。",
        ),
        ("Apply for the subsidy for boarding or travel.", "申请寄宿生生活补助或交通补助。"),
    ),
    "time": (
        (
            "Speak with the pupil before the holidays about coming back after them.",
            "放假前与学生谈好返校安排。",
        ),
        (
            "Call in the last week of the holidays, and visit who cannot be reached.",
            "假期最后一周电话联系，联系不上的家访。",
        ),
        (
            "Be there on the first day of term, and call the same day if the pupil is not.",
            "开学第一天关注到校情况，未到当天联系。",
        ),
    ),
}
"""Steps of a plan by family of reasons; also what a page shows as guidance."""


def guidance(family: str, language: Language) -> list[str]:
    """What teachers do about reasons of this family; nothing for a family without a template."""
    return [step[_column(language)] for step in PLANS.get(family, ())]


def plan_template(family: str, language: Language) -> str:
    """The text a plan starts from: a line a step, to be changed by who makes the plan.

    >>> plan_template("distance", "en").splitlines()[1]
    '- Offer a boarding place, and show dormitory and meals to the family.'
    """
    return "\n".join(f"- {step}" for step in guidance(family, language))


def word(words: Words, key: str, language: Language) -> str:
    """How a kind, judgement or outcome is said.

    >>> word(OUTCOMES, "returned", "zh")
    '已劝返复学'
    """
    return words[key][_column(language)]


def _column(language: Language) -> int:
    return 0 if language == "en" else 1
