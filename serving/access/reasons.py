"""The reason why somebody may see a pupil or a unit, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, get_args

from risk_model.explanation.words import Language

Kind = Literal[
    "class_teacher",
    "principal",
    "township",
    "county",
    "province",
    "care",
    "break_glass",
    "token",
    "data_scientist",
    "administrator",
]
SAID: dict[Kind, tuple[str, str]] = {
    "class_teacher": ("class teacher of {name}", "{name}的班主任"),
    "principal": ("principal of {name}", "{name}的校长"),
    "township": ("township officer of {name}", "{name}的乡镇负责人"),
    "county": ("county officer of {name}", "{name}的县级负责人"),
    "province": ("province officer of {name}", "{name}的省级负责人"),
    "care": ("has the care case of this pupil", "负责该生的一对一帮扶"),
    "break_glass": ("opened in an emergency, with a reason on record", "紧急查看，理由已记录"),
    "token": ("a machine's token for {name}", "{name}的系统令牌"),
    "data_scientist": (
        "data scientist of {name}: counts, no names",
        "{name}的数据分析员：只看汇总，不看姓名",
    ),
    "administrator": ("administrator: accounts, no pupils", "管理员：只管账号，不看学生"),
}


@dataclass(frozen=True)
class AccessReason:
    """Why a pupil or a unit may be seen, and until when if that is known."""

    kind: Kind
    unit: str
    """``class:A:7A:2025``; of one pupil alone ``student:S1``."""
    until: datetime | None = None
    """In UTC."""
    ORDER: ClassVar[tuple[str, ...]] = get_args(Kind)

    def distance(self) -> int:
        """0 is nearest to the pupil."""
        return self.ORDER.index(self.kind)

    def said(self, language: Language) -> str:
        """As it stands beside a pupil's name.

        >>> AccessReason("principal", "school:A").said("en")
        'principal of school A'
        """
        english, chinese = SAID[self.kind]
        kind, _, name = self.unit.partition(":")
        if language == "zh":
            return chinese.format(name=name)
        return english.format(name=f"{kind} {name}")
