"""Common English words, for sentences that mean nothing and sound like talk."""

_TEXT = """
about after again air all also always another around ask away back bad bag ball bank base bath be
bear beat because bee been before began behind believe below best better between big bit black
blue boat body book born both bottom box boy bread break bring brother brown build burn bus but
buy by cake call came can car care carry case catch chair change cheap child church circle city
class clean clear climb close cloud coat cold come cook cool copper corn could count country
cover cross cry cup cut dance dark daughter day dead deal dear deep did die different dinner
dirty do doctor does done door double doubt draw dream dress drink drive drop dry during each ear
early earth east easy eat egg end enough even evening ever every eye face fact fair fall family
far farm fast father feel feet few field fight fill find fine finger finish fire first fish fit
floor flower fly food foot for forest forget form found free fresh friend from front fruit full
fun game garden gave get girl give glad glass gold gone good grass gray great green ground group
grow guess had hair half hall hand hang happen hard has hat have he head hear heart heavy held
help her here high hill him his hold hole home hope horse hot hour how hundred hurry ice idea if
in inside into iron island it job join jump just keep key kind king kitchen knee knew know lady
lake land large last late laugh law lay lead leaf least leg less let letter lie life light like
line lip list listen little live long look lose lost lot loud love low luck lunch made make man
many map mark market matter may mean meat meet men milk mind mine minute miss money month moon
more morning most mother mountain mouth move much music must my name near neck need never new
news next nice night none nor north nose not note nothing now number ocean of often oil old once
only open or orange order other our out over own page paint pair paper park part pass past pay
people perhaps person pick picture piece pink place plan plant play please point poor possible
post pound power present press pretty price pull push put quick quiet quite race radio rain ran
reach read ready real red rest rich ride ring rise river road rock room rope rose round row rule
run sad safe said sail salt same sand sat save saw say school sea season seat second see seem
sell send sent set several shade shall shape share sharp she sheep ship shirt shoe shop short
should shoulder shout show shut sick side sign silver simple since sing sister sit size skin sky
sleep slow small smell smile smoke snow so soap soft soil sold some son song soon sort sound soup
south space speak spell spend spoke spoon sport spread spring square stairs stand star start
state station stay steam step stick still stone stood store storm story straight strange street
string strong student study such sudden sugar suit summer sun sure surprise sweet swim table tail
take talk tall taste tea teach tell ten test than thank that the their them then there these they
thick thin thing think third this those though thought thousand threw through throw thumb thunder
ticket tie time tiny tire to today together told tomorrow tonight too took top touch toward town
toy trade train travel trip trouble true trust try turn twelve twenty uncle under until upon us
use usual valley very view village visit voice wait walk wall want war warm was wash watch water
wave way we wear weather week weight well went were west wet what wheel when where which while
white who whole whose why wide wife wild will win wind window winter wish with without woman
wonder wood word work world worry would write wrong yard year yellow yesterday yet you young your
"""
WORDS = tuple(_TEXT.split())
