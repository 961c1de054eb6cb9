"""Files that cannot be read, files spelled otherwise, and all kinds together."""

from __future__ import annotations

import gzip
from datetime import date

from bad_file import GOOD, MARKS, BadFile, Fault, marks, plain_zip, workbook
from bad_rows import ROWS

SHAPES = (
    BadFile("empty file", "attendance.csv", b"", refused="attendance.csv cannot be read: it is empty"),
    BadFile("only blank lines", "attendance.csv", b"\n\n\n", refused="it is empty"),
    BadFile("header only", "attendance.csv", MARKS, (0, 0, 0, 0)),
    BadFile("header without newline", "attendance.csv", MARKS.strip(), (0, 0, 0, 0)),
    BadFile(
        "missing key column", "attendance.csv", "student_id,mark\nS1,late\n", refused="its header lacks day"
    ),
    BadFile(
        "missing required column", "attendance.csv", "student_id,day\nS1,2025-09-01\n", refused="lacks mark"
    ),
    BadFile("no header at all", "attendance.csv", GOOD, refused="its header lacks student_id, day, mark"),
    BadFile("duplicate header", "attendance.csv", "student_id,day,mark,mark\n", refused="names mark twice"),
    BadFile(
        "header twice, once in Chinese",
        "attendance.csv",
        "student_id,day,mark,学籍号\n",
        refused="names student_id twice",
    ),
    BadFile("calendar of nobody", "calendar.csv", "day,school_day\n", refused="lacks county_id or school_id"),
    BadFile(
        "truncated gzip",
        "attendance.csv.gz",
        gzip.compress((MARKS + GOOD * 9999).encode())[:-40],
        refused="compressed stream is broken",
    ),
    BadFile("plain text named gz", "attendance.csv.gz", MARKS + GOOD, refused="compressed stream is broken"),
    BadFile("a zip named xlsx", "attendance.xlsx", plain_zip(), refused="no XLSX workbook"),
    BadFile("text named xlsx", "attendance.xlsx", MARKS + GOOD, refused="no XLSX workbook"),
    BadFile("empty workbook", "attendance.xlsx", workbook([]), refused="its first sheet is empty"),
    BadFile("text named parquet", "attendance.parquet", MARKS + GOOD, refused="no readable Parquet"),
    BadFile("UTF-16", "attendance.csv", (MARKS + GOOD).encode("utf-16"), refused="neither utf-8"),
    BadFile("UTF-16 without mark", "attendance.csv", (MARKS + GOOD).encode("utf-16-le"), refused="NUL bytes"),
    BadFile(
        "latin-1",
        "attendance.csv",
        MARKS.encode() + b"S1,2025-09-01,pr\xe9\n\xe9\xff",
        refused="neither utf-8",
    ),
    BadFile(
        "mixed encodings",
        "attendance.csv",
        MARKS.encode() + "S1,2025-09-01,旷课\n".encode("gb18030") + b"S1,2025-09-02,\xff\xff\n",
        refused="nor gb18030",
    ),
    BadFile("a delivery without a register", "notes.csv", "a,b\n", refused="holds no register"),
)

SPELLINGS = (
    BadFile("byte order mark", "attendance.csv", b"\xef\xbb\xbf" + (MARKS + GOOD).encode(), (1, 1, 0, 0)),
    BadFile("GB18030", "考勤.csv", "学籍号,日期,考勤\nS1,2025-09-01,旷课\n".encode("gb18030"), (1, 1, 0, 0)),
    BadFile("Windows newlines", "attendance.csv", (MARKS + GOOD).replace("\n", "\r\n"), (1, 1, 0, 0)),
    BadFile("old Macintosh newlines", "attendance.csv", (MARKS + GOOD).replace("\n", "\r"), (1, 1, 0, 0)),
    BadFile("tabs", "attendance.csv", (MARKS + GOOD).replace(",", "\t"), (1, 1, 0, 0)),
    BadFile("semicolons", "attendance.csv", (MARKS + GOOD).replace(",", ";"), (1, 1, 0, 0)),
    BadFile(
        "everything quoted",
        "attendance.csv",
        '"student_id","day","mark"\n"S1","2025-09-01","late"\n',
        (1, 1, 0, 0),
    ),
    BadFile(
        "unknown column",
        "attendance.csv",
        "student_id,day,mark,mood\nS1,2025-09-01,late,glad\n",
        (1, 1, 0, 0),
    ),
    BadFile(
        "blank lines between",
        "attendance.csv",
        MARKS + "\n" + GOOD + "\n\nS2,2025-09-01,nap\n",
        (2, 1, 1, 0),
        (Fault(6, "mark", "nap", "is none of present"),),
    ),
    BadFile(
        "one file of a month, packed",
        "attendance_2025-09.csv.gz",
        gzip.compress((MARKS + GOOD).encode()),
        (1, 1, 0, 0),
    ),
    marks("blanks around values", " S1 ,\u30002025-09-01\u00a0, late \n", (1, 1, 0, 0)),
    marks("upper-case value", "S1,2025-09-01,LATE\n", (1, 1, 0, 0)),
    marks(
        "other spellings of a day", "S1,20250901,late\nS1,2025/9/2,late\nS1,2025年9月3日,late\n", (3, 3, 0, 0)
    ),
    BadFile("last line without newline", "attendance.csv", MARKS + GOOD.strip(), (1, 1, 0, 0)),
    BadFile(
        "days and numbers as Excel has them",
        "results.xlsx",
        workbook(
            [
                ["student_id", "subject", "assessed_on", "score", "max_score"],
                ["S1", "maths", date(2025, 9, 1), 61.5, 100],
                ["S1", "maths", 45902, "62", "100"],
                ["S1", "maths", "2025-09-03", "sixty", 100],
            ]
        ),
        (3, 2, 1, 0),
        (Fault(4, "score", "sixty", "is not a finite number"),),
    ),
    BadFile(
        "empty rows in a workbook",
        "attendance.xlsx",
        workbook(
            [[], ["student_id", "day", "mark"], ["S1", date(2025, 9, 1), "late"], [], ["S2", "x", "late"]]
        ),
        (2, 1, 1, 0),
        (Fault(5, "day", "x", "is not a day"),),
    ),
)

BAD_FILES = (*SHAPES, *SPELLINGS, *ROWS)
