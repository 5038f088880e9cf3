package main

// The lists come with releases of a package on PyPI, under the MIT license
// (shared/pricing/data/NOTICE).
const (
	packageName = "litellm"
	listFile    = "litellm/model_prices_and_context_window_backup.json"
)

// list is one published list of prices.
type list struct {
	version string // of the package
	date    string // of the release, from which its prices apply
	sha256  string // of the list, so that nobody changes the past
}

// lists are those that the table is made of, oldest first: about one for every
// quarter. A new one goes to the end.
var lists = []list{
	{"1.53.1", "2024-11-28", "ae4d6d078e0f1e4d8737e2304eecd1d2c5f0c9ce1a52dabd374d980a128b7151"},
	{"1.65.0", "2025-03-28", "612503db95b4b81e48c54df1414da19f30f7eae6687d3affc4e37890a23fc8c1"},
	{"1.73.6", "2025-06-28", "d0cdaeefa9a02884661bf636bac6c2dcf89dfe2d746bacd10ee27a0dafb77157"},
	{"1.77.5", "2025-09-28", "3129915d4c55cf5e0fdf816123b057447e8e92ae1b7645584548e280a4688516"},
	{"1.80.11", "2025-12-22", "4e8a2ef9166e1db03d84ddf607badb67dab4c3b05cda97d46b70c37b0948f400"},
	{"1.83.0", "2026-03-31", "ffe40f10de682c8f95889037fa6c4d516153a19a393775a0277944461f423b0d"},
	{"1.90.1", "2026-06-30", "5a3ac3d11bdaabf82c0b51e3772090f991b1ad7f04dee674b27e2edc7f4a4eb2"},
	{"1.103.1", "2026-09-29", "56c7afe18b6166afcd54a4ac784fabb59fe8638122709900e6b7ee8c64f2e705"},
	{"1.110.2", "2026-11-20", "8943af58bf9f979c6a4bef815687117ffa341e462a41faed9be17b5c33d3dcc2"},
}
