"""Where the embedded servers of a data folder are reached."""

from pathlib import Path

from config.stack import paths

SOCKET_PATH_LIMIT = 103  # of macOS; Linux allows 107


def test_the_sockets_of_a_deep_data_folder_stay_below_the_path_limit(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder"] * 20)
    longest = paths.socket_dir(deep) / ".s.PGSQL.5432.lock"
    assert len(str(longest)) <= SOCKET_PATH_LIMIT


def test_every_spelling_of_a_data_folder_leads_to_the_same_sockets(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    plain = paths.socket_dir(tmp_path / "data")
    assert paths.socket_dir(tmp_path / "link") == plain
    assert paths.socket_dir(tmp_path / "x" / ".." / "data") == plain


def test_two_data_folders_never_share_sockets(tmp_path: Path) -> None:
    assert paths.socket_dir(tmp_path / "one") != paths.socket_dir(tmp_path / "two")
