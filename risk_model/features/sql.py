"""Small pieces of SQL that several families write."""


def sql_list(names: tuple[str, ...]) -> str:
    """The names as an SQL list.

    >>> sql_list(("late", "present"))
    "('late', 'present')"
    """
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"
